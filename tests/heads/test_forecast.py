"""What a forecast says: outputs, their likelihoods and quantiles; scales; figures beside those of naive ones."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from recurra.config import override
from recurra.errors import InputError
from recurra.heads._naive import drift, naive, naive2, scaled_errors, seasonal_naive
from recurra.heads._outputs import Mixture, NegativeBinomial, Output, Point, Quantiles, Student
from recurra.heads.forecast import LEVELS, Forecast, ForecastConfig, _widths
from recurra.modalities._scales import Scales, seasonal_factors
from recurra.modalities.panel import Panel, PanelConfig
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS
from recurra.timeline import Timeline, Window

LEVEL = np.array(LEVELS)
OUTPUTS: dict[str, Output] = {
    "quantiles": Quantiles(LEVELS),
    "point": Point(squared=False),
    "student": Student(),
    "counts": NegativeBinomial(),
    "mixture": Mixture(3),
}


Learning = Callable[[Model, pd.DataFrame, int], list[float]]
SMALL = np.array([1.0, 3, 2, 5, 4, 6, 5, 7])


def line(y: list[float], id: str = "a") -> Timeline:
    nothing = np.zeros((len(y), 0))
    return Timeline(id, np.arange(len(y)), np.array(y, float), nothing, nothing)


@pytest.mark.parametrize("output", OUTPUTS.values(), ids=OUTPUTS)
def test_quantiles_rise_and_losses_are_finite(output: Output) -> None:
    given_ = torch.randn(5, 4, output.size, generator=torch.Generator().manual_seed(0))
    unit = np.full((5, 1), 3.0)
    found = output.quantiles(given_, LEVEL, unit)
    assert found.shape == (5, 4, len(LEVELS))
    assert (np.diff(found, axis=-1) >= 0).all()
    loss = output.loss(given_, torch.ones(5, 4), torch.from_numpy(unit))
    assert loss.shape == (5, 4)
    assert loss.isfinite().all()


def test_likelihoods_are_those_of_the_distributions() -> None:
    given_ = torch.tensor([[0.3, -0.2, 0.5]], dtype=torch.float64)
    place, scale, freedom = (float(x) for x in Student()._parameters(given_[0]))
    wanted = torch.tensor([1.7], dtype=torch.float64)
    nats = Student().loss(given_, wanted, torch.ones(1))
    assert -nats.item() == pytest.approx(stats.t.logpdf(1.7, freedom, place, scale))
    mean, extra = (float(x) for x in NegativeBinomial()._parameters(given_[0, :2], torch.tensor(4.0)))
    counted = NegativeBinomial().loss(given_[:, :2], torch.tensor([3.0], dtype=torch.float64), torch.tensor(4.0))
    assert -counted.item() == pytest.approx(stats.nbinom.logpmf(3, 1 / extra, 1 / (1 + extra * mean)))


def test_a_mixtures_quantiles_are_where_its_distribution_says() -> None:
    mixture = Mixture(3)
    given_ = torch.randn(6, 9, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = mixture.quantiles(given_, LEVEL, np.ones((6, 1)))
    weight, place, scale = (x.numpy()[:, None, :] for x in mixture._parameters(given_))
    below = (np.exp(weight) * stats.norm.cdf((found[..., None] - place) / scale)).sum(-1)
    np.testing.assert_allclose(below, np.broadcast_to(LEVEL, below.shape), atol=1e-9)


def test_the_pinball_loss_is_least_at_the_quantile() -> None:
    draws = torch.randn(4000, generator=torch.Generator().manual_seed(2))
    output = Quantiles((0.1, 0.5, 0.9))
    right = torch.quantile(draws, torch.tensor([0.1, 0.5, 0.9]))
    best = output.loss(right.expand(4000, 3), draws, torch.ones(1)).mean()
    for off in (-0.2, 0.2):
        assert output.loss((right + off).expand(4000, 3), draws, torch.ones(1)).mean() > best


def test_naive_forecasts_by_hand() -> None:
    window = Window(line([1, 2, 3, 4, 5, 6, 9, 9, 9]), origin=6, horizon=3, steps=4)
    np.testing.assert_allclose(naive(window, 2), [6, 6, 6])
    np.testing.assert_allclose(seasonal_naive(window, 2), [5, 6, 5])
    np.testing.assert_allclose(drift(window, 2), [7, 8, 9])
    assert scaled_errors([window], 2) == pytest.approx([2.0])
    missing = Window(line([1, 2, 3, np.nan, 5, np.nan, 9]), origin=6, horizon=1, steps=4)
    assert naive(missing, 2)[0] == 5
    assert drift(missing, 2)[0] == pytest.approx(7)


def test_naive2_follows_a_season_and_leaves_noise_alone() -> None:
    season = np.tile([0.5, 1.0, 1.5, 1.0], 12)
    window = Window(line([*(100 * season), 0, 0, 0, 0]), origin=48, horizon=4, steps=8)
    np.testing.assert_allclose(naive2(window, 4), [50, 100, 150, 100], rtol=1e-6)
    noise = np.random.default_rng(0).normal(100, 1, 52)
    apart = Window(line(noise.tolist()), origin=48, horizon=4, steps=8)
    np.testing.assert_allclose(naive2(apart, 4), naive(apart, 4))


def test_seasonal_factors_of_a_growing_series() -> None:
    factors = np.array([-0.3, 0.1, 0.4, -0.2])
    z = np.arange(24) * 0.05 + factors[(np.arange(24) + 3) % 4]
    np.testing.assert_allclose(seasonal_factors(z, 3, 4), factors, atol=1e-12)
    assert not seasonal_factors(z[:7], 0, 4).any()


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.floats(0.1, 1e6) | st.none(), min_size=4, max_size=40),
    st.sampled_from(["window", "ratio"]),
    st.sampled_from(["season", "last", "mean"]),
    st.integers(1, 5),
)
def test_what_is_scaled_can_be_scaled_back(y: list[float | None], kind: str, around: str, season: int) -> None:
    window = Window(line([1.0, *(np.nan if v is None else v for v in y)]), len(y) - 2, 3, 20)
    scales = Scales(kind, around, season, {}).of([window])
    assert np.isfinite(scales.ahead()).all()
    assert (scales.spread > 0).all()
    scaled = (scales.forward_ahead(window.wanted[None, :, None])[..., 0] - scales.ahead()) / scales.spread[:, None]
    back = scales.back((scales.ahead() + scales.spread[:, None] * scaled)[..., None])[0, :, 0]
    np.testing.assert_allclose(back, window.wanted, rtol=1e-6)


def test_a_constant_series_has_a_scale() -> None:
    windows = [Window(line([value] * 20), 12, 4, 10) for value in (0.0, 5.0)]
    encoded = Panel.fit(PanelConfig(season=4), windows).encode_all(windows)
    assert encoded.values.isfinite().all()


@given(st.integers(5, 24), st.floats(-1e3, 1e3))
@settings(max_examples=25, deadline=None)
def test_nothing_after_the_origin_is_read(origin: int, value: float) -> None:
    y = np.sin(np.arange(30.0)).tolist()
    changed = y[:origin] + [value] * (30 - origin)
    modality = Panel.fit(PanelConfig(season=4, lags=(4, 8)), [Window(line(y), 24, 5, 12)])
    one, other = (modality.encode(Window(line(values), origin, 5, 12)) for values in (y, changed))
    assert torch.equal(one, other)


def test_covariates_of_the_past_and_the_future() -> None:
    past, future = np.arange(30.0)[:, None], np.arange(30.0)[:, None]
    series = Timeline("a", np.arange(30), np.ones(30), past, future, ("red",), (("p",), ("f",), ("colour",)))
    window = Window(series, 20, 4, 6)
    modality = Panel.fit(PanelConfig(season=2), [window])
    seen = modality.encode(window)
    p, f = seen[:, -3], seen[:, -2]
    assert (p[-3:] == 0).all()  # the step before was the last one known
    assert (f.diff() > 0).all()
    assert (seen[:, -1] == 1).all()
    unseen = Timeline("b", series.times, series.y, past, future, ("new",), series.names)
    other = Window(unseen, 20, 4, 6)
    assert (modality.encode(other)[:, -1] == 0).all()
    with pytest.raises(InputError, match="series b: expected past covariates p, as in training, got none"):
        modality.encode(Window(line([1.0] * 30, "b"), 20, 4, 6))


def model(frame: pd.DataFrame, **chosen: object) -> Model:
    config = override(defaults(TASKS.get("forecast")), {"trunk.hidden": 6, "modality.season": 4, **chosen})
    modality = Panel.fit(config.modality, list(frame["y"]))
    return Model(config.model, modality, Forecast.learn(config.head, frame)).eval()


def windows(count: int = 30, scale: float = 1.0) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    y = scale * np.round(np.exp(np.sin(np.arange(80) * np.pi / 2) + draw.normal(0, 0.2, 80)) * 4)
    return pd.DataFrame({"y": [Window(line(y.tolist()), 20 + i, 4, 12) for i in range(count)]})


@pytest.mark.parametrize("error", ["quantile", "absolute", "squared", "student", "negative-binomial", "mixture"])
def test_every_error_learns_and_forecasts(error: str, learning: Learning) -> None:
    torch.manual_seed(0)
    frame = windows()
    net = model(frame, **{"head.error": error})
    losses = learning(net, frame, 25)
    assert losses[-1] < losses[0] - 0.05
    (found,) = net.predict([frame["y"].iloc[3]])
    quantiles = np.array(list(found["quantiles"].values()))
    # One value alone has no intervals, before rows that are held out make them.
    assert quantiles.shape == (1 if error in ("absolute", "squared") else len(LEVELS), 4)
    assert net.head.sure == (len(quantiles) > 1)
    assert (np.diff(quantiles, axis=0) >= -1e-9).all()
    assert (quantiles >= 0).all()  # as no training value is below it


@pytest.mark.parametrize("scale", ["window", "ratio"])
@given(factor=st.sampled_from([1e-9, 0.1, 7.0, 1e9]))
@settings(max_examples=4, deadline=None)
def test_a_forecast_in_another_unit_is_the_same(scale: str, factor: float) -> None:
    torch.manual_seed(0)
    net = model(windows(), **{"modality.scale": scale})
    own, other = (net.predict([windows(1, unit)["y"].iloc[0]])[0]["quantiles"] for unit in (1.0, factor))
    np.testing.assert_allclose([*other.values()], factor * np.array([*own.values()]), rtol=1e-4)


@pytest.mark.parametrize("level", [1e6, 1e9])
def test_a_large_level_does_not_hide_what_varies(level: float) -> None:
    own, far = (Scales("window", "last", 1, {}).of([Window(line(y), 6, 2, 6)]) for y in (SMALL, SMALL + level))
    assert far.deviation == pytest.approx(own.deviation, rel=1e-5)
    assert far.spread == pytest.approx(own.spread, rel=1e-5)


def test_of_two_values_the_usual_deviation_is_believed() -> None:
    scales = Scales("window", "last", 1, {}, usual=(0.3, 0.5, 1.0)).of(
        [Window(line([100.0, 101, np.nan, np.nan]), 2, 2, 2)]
    )
    assert scales.deviation == pytest.approx([30.15])
    assert scales.spread == pytest.approx([15.075])


def test_a_window_of_zeros_has_the_scale_of_its_series_or_teaches_nothing() -> None:
    seen = Window(line([3.0, 0, 6, *[0.0] * 8]), 9, 2, 5)
    never = Window(line([0.0] * 9 + [3.0, 3.0]), 9, 2, 5)
    scales = Scales("window", "last", 1, {}).of([seen, never])
    assert scales.told.tolist() == [True, False]
    assert scales.deviation[0] == pytest.approx(np.std([3, 0, 6, *[0] * 6]))
    wanted = scales.wanted(scales.to_come).reshape(2, 2)
    assert (wanted[0] == 0).all()
    assert np.isnan(wanted[1]).all()
    (alone,) = Scales("window", "last", 1, {}, usual=(0.3, 0.5, 7.0)).of([Window(line([0.0, 0, 0]), 1, 2, 2)]).deviation
    assert alone == 7


def test_what_errors_grow_to_is_learnt_from_the_windows() -> None:
    draw = np.random.default_rng(0)
    lines = [line(list(draw.normal(size=200).cumsum()), str(i)) for i in range(40)]
    rows = [Window(own, origin, 9, 50) for own in lines for origin in range(60, 190, 9)]
    growth = np.array(Panel.fit(PanelConfig(season=1, around="last"), rows).learnt["growth"])
    np.testing.assert_allclose(growth, np.sqrt(np.arange(1, 10)), rtol=0.15)


def test_the_floor_is_each_series_own() -> None:
    torch.manual_seed(0)
    below = [Window(line(list(-np.arange(1.0, 41))), 36, 4, 36)]
    counts = [Window(line([0.0, 0, 1, 0] * 20), 76, 4, 76)]
    few = [Window(line([0.0, 0, 1, 0] * 3), 8, 4, 8)]
    net = model(pd.DataFrame({"y": counts * 5 + below}))
    lows = [min(map(min, net.predict(rows)[0]["quantiles"].values())) for rows in (counts, few, below)]
    assert lows[0] == 0
    assert lows[1] < 0
    assert lows[2] < -30


def test_calibrated_intervals_hold_their_share() -> None:
    draw = np.random.default_rng(0)
    outside = draw.normal(size=(400, 3)) * [1, 2, 3]
    widths = _widths(np.abs(outside), 0.8, apart=400)
    np.testing.assert_allclose((np.abs(outside) <= widths).mean(0), 0.8, atol=0.01)
    few = _widths(np.abs(outside[:20]), 0.8, apart=20)
    assert (few == few[0]).all()
    # The fewer of them do not overlap, the less they prove.
    overlapping = [_widths(np.abs(outside[:20]), 0.8, apart)[0] for apart in (20, 10, 5, 2)]
    assert overlapping == sorted(overlapping)
    assert overlapping[-1] == np.abs(outside[:20]).max()
    # Two windows that hold everything are no reason to say less than was said.
    assert (_widths(outside[:20] - 100, 0.8, 2) == 0).all()
    assert (_widths(outside[:20] - 100, 0.8, 20) < 0).all()


def test_meter_counts_the_same_as_by_hand() -> None:
    torch.manual_seed(0)
    frame = windows()
    net = model(frame)
    meter = net.measure(net.evaluation_batches(frame, "x"))
    metrics = meter.metrics()
    found = np.array([result["forecast"] for result in net.predict(list(frame["y"]))])
    wanted = np.stack([window.wanted for window in frame["y"]])
    assert metrics["mae"] == pytest.approx(np.abs(found - wanted).mean())
    assert metrics["rmse"] == pytest.approx(np.sqrt(((found - wanted) ** 2).mean()))
    assert metrics["smape"] == pytest.approx((200 * np.abs(found - wanted) / (np.abs(found) + np.abs(wanted))).mean())
    beside = meter.beside(frame, None)
    assert list(beside) == ["naive", "seasonal naive", "drift"]
    best = min(errors["mae"] for errors in beside.values())
    assert meter.details(frame)["widths"] == {}
    assert ("does not beat" in meter.details(frame)["verdict"]) == (metrics["mae"] >= best)


def test_settings_that_make_no_sense_are_refused() -> None:
    for wrong in ((0.1, 0.9), (0.1, 0.5, 0.8), (0.5, 0.1, 0.9)):
        with pytest.raises(InputError, match=r"head.quantiles"):
            ForecastConfig(quantiles=wrong)
    with pytest.raises(InputError, match="expected counts"):
        Forecast.learn(ForecastConfig(error="negative-binomial"), windows(3, 0.5))


@pytest.mark.parametrize("error", ["quantile", "absolute", "student", "mixture"])
def test_step_by_step_it_forecasts_what_it_was_shown(error: str, learning: Learning) -> None:
    torch.manual_seed(0)
    frame = windows()
    net = model(frame, **{"head.error": error, "head.form": "shifted", "head.paths": 20})
    net.train()
    losses = learning(net, frame, 25)
    assert losses[-1] < losses[0] - 0.05
    net.eval()
    together, (alone,) = net.predict(list(frame["y"])), net.predict([frame["y"].iloc[3]])
    np.testing.assert_allclose(together[3]["forecast"], alone["forecast"], rtol=1e-4)
    values = np.array(list(alone["quantiles"].values()))
    assert (np.diff(values, axis=0) >= -1e-9).all()
    assert ((values[-1] - values[0])[-1] > 0) == (error != "absolute")


def test_a_path_of_certain_steps_is_what_teacher_forcing_says() -> None:
    torch.manual_seed(0)
    frame = windows(2)
    net = model(frame, **{"head.error": "absolute", "head.form": "shifted", "head.paths": 1})
    (batch,) = net.batches(frame, "x", tokens=10_000, truncation=0, shuffle=False).epoch(0, 0)
    with net.evaluating():
        features, _, _ = net.head.through(net.features, batch.inputs, None)
        path = net.head.given(features)[..., 0]
    # Shown its own path as the truth it says the same path again.
    net.train()
    shown = net.head.reads(batch.inputs, replace(batch.targets, wanted=path, there=torch.ones_like(path, dtype=bool)))
    net.eval()
    y, _, _ = net.features(shown)
    places = y.offsets[1:, None] + torch.arange(-4, 0)
    torch.testing.assert_close(net.head.output(y.values[places])[..., 0], path, atol=1e-5, rtol=1e-4)


def test_the_widths_of_one_series_are_in_the_order_of_time() -> None:
    draw = np.random.default_rng(0).normal(size=150).tolist()
    series = line(draw)
    frame = pd.DataFrame({"y": [Window(series, origin, 4, 12) for origin in range(140, 20, -1)]})
    net = model(frame)
    found = net.measure(net.evaluation_batches(frame, "x")).details(frame)["widths"]
    assert found["times"] == ["21", "140"]
    first = net.predict([frame["y"].iloc[-1]])[0]["quantiles"]
    assert found["widths"][0] == pytest.approx(first["0.9"][0] - first["0.1"][0], rel=1e-3)
