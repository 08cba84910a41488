"""The head of one number: scaling, the interval, and its metrics."""

import math

import pandas as pd
import pytest
import torch
from torch import nn

from recurra.errors import DataError, InputError
from recurra.heads._outputs import Categorical, Gaussian, Quantiles
from recurra.heads.number import Number, NumberConfig
from recurra.modalities.series import Series, SeriesConfig
from recurra.model import Model, ModelConfig
from recurra.sequences import Ragged
from recurra.trunk import TrunkConfig

FRAME = pd.DataFrame({"series": [[1.0]] * 4, "number": [10.0, 20.0, 30.0, 60.0]}, dtype=object)


def head(error: str = "squared", level: float = 0.9, frame: pd.DataFrame = FRAME) -> Number:
    config = NumberConfig(error=error, level=level)  # type: ignore[arg-type]
    series = Series.fit(SeriesConfig(), frame["series"])
    return Number(config, 3, Number.learn(config, frame), series, nn.Identity())


def said(net: Number, mean: float, raw: float = 0.0) -> None:
    """Makes the head say the same for every row."""
    nn.init.zeros_(net.output.weight)
    net.output.bias.data[0] = (mean - net.mean) / net.deviation
    if isinstance(net.step, Gaussian):
        net.output.bias.data[1] = raw


FEATURES, LAST = Ragged(torch.zeros(4, 3), torch.arange(5)), torch.zeros(4, 3)


def test_targets_are_standardised_and_predictions_are_not() -> None:
    net = head()
    targets = net.targets(FRAME, "here")
    assert targets.mean().abs() < 1e-6
    assert targets.std(correction=0) == pytest.approx(1, abs=1e-6)
    said(net, 42.0)
    assert [row["number"] for row in net.decode(FEATURES, LAST)] == pytest.approx([42.0] * 4, rel=1e-6)


def test_metrics_are_in_the_numbers_own_unit() -> None:
    net = head()
    said(net, 20.0)
    meter = net.meter()
    meter.update(FEATURES, LAST, net.targets(FRAME, "here"), None)
    errors = [10.0, 0.0, 10.0, 40.0]
    assert meter.metrics() == pytest.approx(
        {"mae": sum(errors) / 4, "rmse": math.sqrt(1800 / 4), "mse": 1800 / 4}, rel=1e-5
    )
    details = meter.details(FRAME)
    assert details["agreement"] == {"wanted": [10.0, 20.0, 30.0, 60.0], "said": [20.0] * 4}
    worst = details["largest_errors"][0]
    assert (worst["number"], worst["predicted"]) == (pytest.approx(60.0), pytest.approx(20.0))


def test_the_gaussian_loss_and_nats_are_torchs() -> None:
    net = head("gaussian")
    said(net, 25.0, raw=0.7)
    targets = net.targets(FRAME, "here")
    mean, raw = net.predicted(LAST).unbind(-1)
    deviation = nn.functional.softplus(raw + math.log(math.e - 1)) + 1e-4
    total, count = net.loss(FEATURES, LAST, targets)
    expected = nn.functional.gaussian_nll_loss(mean, targets, deviation.square(), reduction="sum")
    assert count == 4
    assert total.item() == pytest.approx(expected.item(), rel=1e-5)
    meter = net.meter()
    meter.update(FEATURES, LAST, targets, None)
    numbers = torch.tensor(FRAME["number"].astype(float).to_numpy())
    density = torch.distributions.Normal(25.0, deviation[0].double().item() * net.deviation).log_prob(numbers)
    assert meter.metrics()["nats"] == pytest.approx(-density.mean().item(), rel=1e-5)


@pytest.mark.parametrize("level", [0.5, 0.9])
def test_the_interval_holds_the_share_that_it_should_of_numbers_as_uncertain_as_said(level: float) -> None:
    frame = pd.DataFrame({"series": [[1.0]] * 4000, "number": torch.randn(4000).mul(3).add(7).tolist()})
    net = head("gaussian", level, frame)
    said(net, 7.0)  # the raw 0 is a deviation of 1, that of the standardised numbers
    meter = net.meter()
    features = Ragged(torch.zeros(4000, 3), torch.arange(4001))
    meter.update(features, torch.zeros(4000, 3), net.targets(frame, "here"), None)
    assert meter.metrics()["coverage"] == pytest.approx(level, abs=0.03)
    row = net.decode(features, torch.zeros(4000, 3))[0]
    inside = frame["number"].between(row["low"], row["high"]).mean()
    assert inside == pytest.approx(meter.metrics()["coverage"])


@pytest.mark.parametrize("error", ["absolute", "quantile"])
def test_of_skewed_numbers_the_median_and_the_ends_that_hold_the_level_are_learnt(error: str) -> None:
    numbers = torch.rand(2000, generator=torch.Generator().manual_seed(1)).log().neg()  # exponential
    frame = pd.DataFrame({"series": [[1.0]] * 2000, "number": numbers.tolist()})
    net, features = head(error, 0.8, frame), Ragged(torch.zeros(2000, 3), torch.arange(2001))
    targets, last = net.targets(frame, "here"), torch.zeros(2000, 3)
    optimizer = torch.optim.Adam([net.output.bias], 0.03)
    for _ in range(400):
        optimizer.zero_grad()
        total, count = net.loss(features, last, targets)
        (total / count).backward()
        optimizer.step()
    row = net.decode(features, last)[0]
    assert row["number"] == pytest.approx(math.log(2), abs=0.07)
    if error == "quantile":
        assert row["low"] == pytest.approx(-math.log(0.9), abs=0.07)
        assert row["high"] == pytest.approx(-math.log(0.1), abs=0.2)
    assert net.objective.metric == "mae"


def test_of_few_numbers_each_has_a_probability_whose_median_and_interval_are_told() -> None:
    frame = pd.DataFrame({"series": [[1.0]] * 4, "number": [1.0, 3.0, 7.0, 10.0]})
    net = head("auto", 0.9, frame)
    assert isinstance(net.step, Categorical)
    shares = torch.tensor([0.04, 0.3, 0.3, 0.36])
    nn.init.zeros_(net.output.weight)
    net.output.bias.data = shares.log()
    assert net.decode(FEATURES, LAST)[0] == {"number": 7.0, "low": 3.0, "high": 10.0}
    middle = net.step.middle(net.predicted(LAST))[0] * net.deviation + net.mean
    assert middle.item() == pytest.approx(float(shares.double() @ torch.tensor(frame["number"])))
    meter = net.meter()
    meter.update(FEATURES, LAST, net.targets(frame, "here"), None)
    found = meter.metrics()
    assert found["nats"] == pytest.approx(-shares.log().mean().item(), rel=1e-5)
    assert (found["mae"], found["coverage"]) == (pytest.approx((6 + 4 + 0 + 3) / 4), 0.75)
    # A number that no training row has counts as the nearest.
    assert net.step.loss(net.output.bias, (torch.tensor(6.0) - net.mean) / net.deviation, torch.ones(1)).item() == (
        pytest.approx(-math.log(0.3), rel=1e-5)
    )


def test_of_many_numbers_auto_learns_quantiles_and_categories_are_refused() -> None:
    frame = pd.DataFrame({"series": [[1.0]] * 1001, "number": range(1001)})
    assert isinstance(head("auto", frame=frame).step, Quantiles)
    with pytest.raises(InputError, match=r"head\.error=categorical: expected at most 1000 different numbers"):
        head("categorical", frame=frame)


def test_what_cannot_be_learnt_or_set_is_refused() -> None:
    with pytest.raises(DataError, match="column number: only one value, 3, in 2 training rows"):
        Number.learn(NumberConfig(), pd.DataFrame({"number": [3.0, 3.0]}))
    with pytest.raises(InputError, match=r"head\.level: expected a share between 0 and 1, got 1"):
        NumberConfig(level=1.0)


def test_an_explanation_is_in_the_numbers_own_unit_and_begins_at_the_mean_of_the_series() -> None:
    rows = [[1.0, 5.0], [3.0], [], [2.0, 4.0, 3.0]]
    config = ModelConfig("series", "number", SeriesConfig(), TrunkConfig(hidden=6, embedding=9), NumberConfig())
    net = Model(config, Series.fit(SeriesConfig(), rows), Number.learn(NumberConfig(), FRAME)).double()
    mean, *others = net.predict([[3.0] * 4, *rows], explain=True)
    assert mean["contributions"] == [0.0] * 4
    assert mean["score"] == mean["baseline"]
    for found, row in zip(others, rows, strict=True):
        assert "tokens" not in found
        assert len(found["contributions"]) == len(row)
        assert found["score"] == pytest.approx(found["number"])
        assert sum(found["contributions"]) == pytest.approx(found["score"] - found["baseline"], abs=1e-3)
    assert others[0]["contributions"] != [0.0, 0.0]
