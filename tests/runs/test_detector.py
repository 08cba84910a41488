"""A detector from data frames: fitted without labels, kept as a run, the same live as recorded."""

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra import AnomalyDetector
from recurra.errors import DataNote, InputError


def servers(steps=400, spike=300):
    draw = np.random.default_rng(0)
    parts = []
    for i, level in enumerate((10.0, 5000.0, 0.1)):
        y = level * (5 + np.sin(np.arange(steps) / 4) + 0.1 * draw.normal(size=steps))
        y[spike] *= 3
        parts.append(pd.DataFrame({"unique_id": f"s{i}", "ds": pd.date_range("2024", periods=steps, freq="h"), "y": y}))
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "servers"
    return AnomalyDetector(hidden=8, epochs=4, alarm_rate=1e-4).fit(servers(800, 780), out=out)


def test_it_finds_a_spike_in_series_of_any_level(fitted):
    frame = servers()
    scored = fitted.score(frame)
    assert list(scored.columns) == ["unique_id", "ds", "y", "score", "alarm"]
    assert scored["score"].between(0, 1, inclusive="left").all()
    alarms = scored[scored["alarm"]]
    assert set(alarms["unique_id"]) == {"s0", "s1", "s2"}
    assert set(alarms.index % 400) <= {300, 301}
    # In another order the same points have the same scores.
    mixed = fitted.score(frame.sample(frac=1, random_state=0))
    assert mixed.sort_index()["score"].to_numpy() == pytest.approx(scored["score"].to_numpy(), abs=1e-5)


def test_live_it_says_the_same_and_loaded_too(fitted):
    frame = servers()
    frame = frame[frame["unique_id"] == "s1"]
    expected = fitted.score(frame)
    live = AnomalyDetector.load(fitted.run.path).stream()
    key = live.join()
    found = [live.feed([key], [[y]]) for y in frame["y"]]
    assert [f.score[0] for f in found] == pytest.approx(list(expected["score"]), abs=1e-4)
    assert [bool(f.alarm[0]) for f in found] == list(expected["alarm"])


def test_the_threshold_follows_the_wanted_rate_alone(fitted):
    assert fitted.threshold == pytest.approx(4 / 7)
    assert fitted.run.config.data.columns == {"series": "y"}
    assert "timeline" in fitted.run.events[-1]["details"]
    page = (fitted.run.path / "report.html").read_text()
    assert "Most unusual series" in page


def test_it_is_evaluated_with_labels_where_there_are_some(fitted):
    frame = servers()
    marks = (frame.index % 400 >= 295) & (frame.index % 400 <= 305)
    found = fitted.run.evaluate(frame.assign(is_anomaly=marks.astype(int)))
    assert found["metrics"]["found"] == 1
    assert found["metrics"]["nab_standard"] > 60
    assert set(found["beside"]["windowed Gaussian"]) == {"nab_standard", "nab_low_fp", "nab_low_fn"}
    assert "nab_standard" not in fitted.run.evaluate(frame)["metrics"]


def test_what_cannot_be_is_named(fitted, tmp_path):
    with pytest.raises(InputError, match="not fitted yet"):
        AnomalyDetector().score(servers())
    with pytest.raises(InputError, match="expected a point in each row"):
        fitted.score(pd.DataFrame({"series": ["1 2 3"]}))
    with pytest.raises(InputError, match="bidirectional"):
        recurra.train("anomaly", servers(), out=tmp_path / "x", bidirectional=True)


def test_it_scores_whatever_it_is_fitted_on_and_arrays(fitted, tmp_path):
    frame = servers()
    frame = frame[frame["unique_id"] == "s1"].reset_index(drop=True)
    expected = fitted.score(frame)["score"].to_numpy()
    frame.to_csv(tmp_path / "s1.csv", index=False)
    y = frame["y"]
    for data in (tmp_path / "s1.csv", str(tmp_path / "s1.csv"), y.to_numpy(), list(y), y, y.to_numpy()[:, None]):
        scored = fitted.score(data)
        assert scored["score"].to_numpy() == pytest.approx(expected, abs=1e-6)
        assert len(scored) == len(frame)
    assert list(fitted.score(y.set_axis(y.index * 2)).index[:3]) == [0, 2, 4]
    assert list(fitted.score(frame[:0]).columns) == ["unique_id", "ds", "y", "score", "alarm"]
    for nothing in (3.0, "x y", {"a": [1.0]}):
        with pytest.raises((InputError, FileNotFoundError), match=r"(data: expected a path|no such file)"):
            fitted.score(nothing)


def test_what_is_missing_or_not_read_is_known(fitted):
    frame = servers()
    whole = frame.assign(y=(frame["y"] * 100).round().astype("Int64"))
    whole.loc[5, "y"] = pd.NA
    with pytest.warns(DataNote, match="1 missing numbers filled"):
        assert fitted.score(whole)["score"].notna().all()
    with pytest.warns(UserWarning, match="columns that are not read: temperature"):
        fitted.score(frame.assign(temperature=1.0, host="a"))


def test_of_several_channels_the_one_that_is_unlike_is_named(tmp_path):
    draw = np.random.default_rng(0)
    frame = pd.DataFrame({"ds": range(400), "cpu": draw.normal(size=400), "disk": 50 + draw.normal(size=400)})
    detector = AnomalyDetector(hidden=4, epochs=1).fit(frame, out=tmp_path / "run")
    frame.loc[300, "disk"] = 90
    scored = detector.score(frame)
    assert scored["channel"][300] == "disk"
    assert set(scored["channel"]) == {"cpu", "disk"}
