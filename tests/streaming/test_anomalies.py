"""Live series: scored as whole ones are, whatever comes and goes beside them, and never by what is still to come."""

import numpy as np
import pandas as pd
import pytest
import torch

from recurra.config import override
from recurra.errors import InputError, ShapeError
from recurra.modalities.signal import Signal
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.streaming import AnomalyStreams
from recurra.tasks import TASKS


def detector(channels=1, **settings):
    config = override(defaults(TASKS.get("anomaly")), {"trunk.hidden": 6, "head.warm": 5, **settings})
    torch.manual_seed(1)
    return Model(config.model, Signal(config.modality, channels), {}).eval()


def wave(steps, channels=1, seed=0):
    draw = np.random.default_rng(seed)
    found = np.sin(np.arange(steps) / 5)[:, None] * 40 + 100 + draw.normal(size=(steps, channels))
    found[steps // 2] += 200
    return found


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("way", ["forecast", "autoencoder"])
def test_live_scores_are_those_of_the_whole_and_of_a_beginning(way, channels):
    model, x = detector(channels, **{"head.way": way, "head.window": 4}), wave(120, channels)
    streams = AnomalyStreams(model, 3)
    streams.join()
    key = streams.join()
    live = np.array([streams.feed([key], x[t : t + 1]).score[0] for t in range(len(x))])
    (whole,), (beginning,) = model.predict([x]), model.predict([x[:80]])
    assert live == pytest.approx(whole["score"], abs=1e-4)
    assert beginning["score"] == pytest.approx(whole["score"][:80], abs=1e-4)
    assert 0 <= live.min() < live.max() < 1
    assert 60 <= live.argmax() < 64


def test_alarms_are_fresh_scores_at_the_threshold():
    model, x = detector(), wave(200)
    streams = AnomalyStreams(model, 1)
    key = streams.join()
    alarms = [t for t in range(len(x)) if streams.feed([key], x[t : t + 1]).alarm[0]]
    (whole,) = model.predict([x])
    assert alarms == whole["alarms"]
    assert alarms == [100]


@pytest.mark.parametrize("channels", [1, 3, 10])
@pytest.mark.parametrize("way", ["forecast", "autoencoder"])
def test_among_others_a_stream_is_alone_to_the_bit(way, channels):
    model = detector(channels, **{"head.way": way, "head.window": 4})
    x = np.stack([wave(90, channels, seed) for seed in range(33)])
    alone, among = AnomalyStreams(model, 1), AnomalyStreams(model, 33)
    key, keys = alone.join(), [among.join() for _ in x]
    for t in range(90):
        one, all_ = alone.feed([key], x[:1, t]), among.feed(keys, x[:, t])
        assert one.score[0] == all_.score[0]
    mine, theirs = alone.state(key), among.state(keys[0])
    assert all(np.array_equal(mine[name], theirs[name], equal_nan=True) for name in mine)


@pytest.mark.parametrize("way", ["forecast", "autoencoder"])
def test_the_channel_that_is_unlike_what_was_said_is_named(way):
    model, draw = detector(3, **{"head.way": way, "head.window": 4}), np.random.default_rng(0)
    x = draw.normal(size=(120, 3)) * [1, 100, 0.1] + [0, 1e4, -5]
    x[90, 1] += 3000
    streams = AnomalyStreams(model, 1)
    key = streams.join()
    live = [int(streams.feed([key], x[t : t + 1]).channel[0]) for t in range(len(x))]
    (whole,) = model.predict([x])
    assert live == whole["channel"]
    assert live[90] == 1
    assert "channel" not in detector().predict([x[:, :1]])[0]


def test_a_state_of_another_detector_is_refused_and_takes_no_place():
    one, three = AnomalyStreams(detector(), 1), AnomalyStreams(detector(3), 1)
    key = one.join()
    one.feed([key], [[1.0]])
    saved = one.state(key)
    with pytest.raises(InputError, match="state "):
        three.join(saved)
    wider = AnomalyStreams(detector(**{"trunk.hidden": 7}), 1)
    with pytest.raises(ShapeError, match=r"state net\.0\.h: expected \[1, 7\]"):
        wider.join(saved)
    for streams in (three, wider):
        assert len(streams) == 0
        assert streams.feed([streams.join()], np.ones((1, 3 if streams is three else 1))).score[0] == 0


def test_streams_come_and_go_and_go_on_elsewhere():
    model, x, other = detector(), wave(90), wave(90, seed=5)
    alone = AnomalyStreams(model, 1)
    key = alone.join()
    expected = [alone.feed([key], x[t : t + 1]).score[0] for t in range(90)]
    batch = AnomalyStreams(model, 3)
    gone, mine, third = batch.join(), batch.join(), batch.join()
    found = []
    for t in range(90):
        if t == 30:
            batch.leave(gone)
            gone = batch.join()
        if t == 60:
            saved = batch.state(mine)
            batch = AnomalyStreams(model, 3)
            gone, third, mine = batch.join(), batch.join(), batch.join(saved)
        keys = [mine, gone] if t % 3 else [gone, third, mine]
        points = {gone: other[t], third: other[t] * 3, mine: x[t]}
        found.append(batch.feed(keys, [points[k] for k in keys]).score[keys.index(mine)])
    assert found == expected


def test_a_missing_point_scores_nothing_and_changes_little():
    model, x = detector(), wave(100)
    streams = AnomalyStreams(model, 2)
    a, b = streams.join(), streams.join()
    for t in range(40):
        streams.feed([a, b], x[[t, t]])
    before = streams.state(a)
    assert streams.feed([a], [[np.nan]]).score[0] == 0
    for name in before:
        if name.startswith(("scale", "unusual")) and name not in ("scale.season.count", "scale.season.past"):
            assert torch.equal(streams.state(a)[name], before[name])
    assert streams.feed([a], x[40:41]).score[0] < 0.5


@pytest.mark.parametrize("values", [[5.0] * 80, [0.0] * 80, [1e300, -1e300] * 40, [1e-300, 2e-300] * 40, [3.0]])
def test_strange_series_are_scored_without_alarms_or_numbers_that_are_none(values):
    (found,) = detector().predict([values])
    assert np.isfinite(found["score"]).all()
    assert found["alarms"] == []


def test_after_a_constant_the_first_change_is_an_alarm():
    (found,) = detector().predict([[5.0] * 200 + [6.0] + [5.0] * 20])
    assert found["alarms"][0] in (200, 201)


def test_the_future_of_other_units_is_the_same():
    model, x = detector(), wave(80)
    plain, other = model.predict([x, x * 1e6 - 1e7])
    assert other["score"] == pytest.approx(plain["score"], abs=1e-3)


@pytest.mark.parametrize("offset", [1e6, 1e9, -1e10])
def test_far_from_zero_the_same_series_has_the_same_scores(offset):
    model, x = detector(), wave(400) / 40
    plain, far = model.predict([x, x + offset])
    assert far["score"] == pytest.approx(plain["score"], abs=1e-3)
    assert far["alarms"] == plain["alarms"] != []
    encoded = [model.modality.encode(values)[:, 0].numpy() for values in (x, x + offset)]
    assert encoded[1] == pytest.approx(encoded[0], abs=1e-14 * abs(offset) + 1e-6)


def test_constants_that_only_rounding_moves_are_constants():
    values = np.where(np.arange(900) % 7, 0.3, 0.1 + 0.2) * 1e7
    assert values.std() > 0
    assert detector().modality.encode(values).abs().max() == 0


def test_what_is_wrong_is_named_and_changes_nothing():
    streams = AnomalyStreams(detector(), 2)
    key = streams.join()
    before = streams.state(key)
    with pytest.raises(ShapeError, match=r"x: expected \[1, 1\], got \[1, 2\]"):
        streams.feed([key], [[1.0, 2.0]])
    with pytest.raises(InputError, match="finite numbers, or NaN where one is missing, got inf"):
        streams.feed([key], [[np.inf]])
    with pytest.raises(InputError, match="each stream once"):
        streams.feed([key, key], [[1.0], [1.0]])
    with pytest.raises(InputError, match="no such stream"):
        streams.feed([7], [[1.0]])
    assert all(torch.equal(streams.state(key)[name], before[name]) for name in before if not name.startswith("held"))


def test_windows_that_are_none_are_named():
    head = detector().head
    frame = pd.DataFrame({"series": [np.zeros((9, 1))], "windows": ["3-5 8-9"]}, index=[4])
    with pytest.raises(InputError, match="file, row 4, column windows: expected steps from 0 to 8 in order"):
        head.targets(frame, "file")
    with pytest.raises(InputError, match="expected first and last step of each window"):
        head.targets(frame.assign(windows="3"), "file")
    assert head.targets(frame.assign(windows="3-5 8-8"), "file").values[:, 1].tolist() == [0, 0, 0, 1, 1, 1, 0, 0, 2]
