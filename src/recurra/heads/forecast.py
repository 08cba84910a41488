"""What a series will be: at each step to come a value, and how sure it is."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from recurra.config import setting
from recurra.errors import InputError
from recurra.heads._forecast_meter import ForecastMeter
from recurra.heads._futures import Future, Futures, units
from recurra.heads._outputs import Mixture, NegativeBinomial, Output, Point, Quantiles, Student
from recurra.heads._paths import fill, sampled
from recurra.heads.base import Head, Meter, Objective, Reading
from recurra.modalities import Modality
from recurra.modalities.panel import Panel
from recurra.sequences import Ragged, State
from recurra.timeline import Numbers, Window

if TYPE_CHECKING:
    import pandas as pd

LEVELS = (0.025, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.975)
# So many held-out windows that do not overlap make quantiles of one step's errors; of fewer, all steps' errors are put
# together.
ENOUGH = 100

Error = Literal["quantile", "absolute", "squared", "student", "negative-binomial", "mixture"]


@dataclass(frozen=True)
class ForecastConfig:
    """Settings of the head ``forecast``."""

    horizon: int = setting(0, "steps to forecast; 0: one season, two steps at least")
    error: Error = setting(
        "quantile",
        "quantile: of each level its value; absolute, squared: median or mean; or the likelihood of a distribution",
    )
    quantiles: tuple[float, ...] = setting(LEVELS, "levels that are learnt and measured; 0.5 among them")
    components: int = setting(3, "mixture: how many normal distributions")
    form: Literal["horizon", "shifted"] = setting(
        "horizon", "horizon: all steps to come at once; shifted: each step the next one, and forecasts by drawn paths"
    )
    paths: int = setting(100, "shifted: how many are drawn of each forecast")
    dropout: float = setting(0.0, "share of each step's vector dropped in training")
    conformal: bool = setting(
        True, "intervals are widened or narrowed until they hold their share of the held-out rows"
    )

    def __post_init__(self) -> None:
        if self.horizon < 0:
            raise InputError(f"head.horizon: expected 0 or more, got {self.horizon}")
        levels = self.quantiles
        if not levels or not all(0 < a < 1 for a in levels) or sorted(set(levels)) != list(levels) or 0.5 not in levels:
            raise InputError(f"head.quantiles: expected rising levels between 0 and 1, 0.5 among them, got {levels}")
        if any(round(1 - level, 6) not in levels for level in levels):
            raise InputError(f"head.quantiles: expected with each level its opposite, as 0.1 and 0.9, got {levels}")
        for name in ("components", "paths"):
            if getattr(self, name) < 1:
                raise InputError(f"head.{name}: expected at least 1, got {getattr(self, name)}")
        if self.form == "shifted" and self.error == "negative-binomial":
            raise InputError("head.form=shifted: expected an error of standardised numbers, got negative-binomial")
        if not 0 <= self.dropout < 1:
            raise InputError(f"head.dropout: expected 0 up to but not 1, got {self.dropout}")

    def output(self) -> Output:
        """What the network says of a step."""
        kinds: dict[str, Callable[[], Output]] = {
            "quantile": lambda: Quantiles(self.quantiles),
            "absolute": lambda: Point(squared=False),
            "squared": lambda: Point(squared=True),
            "student": Student,
            "negative-binomial": NegativeBinomial,
            "mixture": lambda: Mixture(self.components),
        }
        return kinds[self.error]()


class Forecast(Head):
    """Reads each of a window's last ``h`` steps, those that are forecast, off the trunk's output at that step.

    The network says how far y is from the window's base, in the window's spread (``modalities/_scales.py``) times what
    a step's error usually grows to; the trunk has read the history and gone on over the steps to come with what is
    known of them. With ``form`` shifted it learns
    at every step what the next one is, and forecasts by reading what it has drawn (Salinas et al. 2020,
    https://arxiv.org/abs/1704.04110). After the training the intervals are calibrated on the validation rows: each
    level's end is moved by the quantile of how far, in spreads, true values lay outside (conformalised quantile
    regression, Romano et al. 2019, https://arxiv.org/abs/1905.03222).
    """

    config = ForecastConfig
    optional = ("unique_id", "ds", "past", "future", "static")
    objective = Objective("mase", maximise=False)
    modality: Panel

    def __init__(
        self, config: ForecastConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        if not isinstance(modality, Panel):
            raise InputError("head forecast: expected the modality panel")
        self.settings, self.known = config, known
        self.horizon = int(known["horizon"])
        self.shifted = config.form == "shifted"
        # What the network says of a step, and what is said of it in the end: of drawn paths their quantiles.
        self.step = config.output()
        self.spoken = Quantiles(config.quantiles) if self.shifted else self.step
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, self.step.size)
        self.output.bias.data.copy_(self.step.beginning())
        self.levels = np.array(config.quantiles)
        # How far off the base is at each step to come, in spreads; what the network says of it is in this unit.
        self.growth = np.array(modality.learnt["growth"])
        self.unit = np.ones(self.horizon) if self.shifted or self.spoken.counts else self.growth
        # How far each level's value is moved at each step, in spreads.
        self.register_buffer("moved", torch.zeros(len(self.levels), self.horizon))
        self.moved: Tensor

    @classmethod
    def learn(cls, config: ForecastConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        """The horizon, and whether the data are never below 0."""
        windows: list[Window] = list(frame["y"])
        least = min(float(np.nanmin(window.wanted)) for window in windows)
        counts = config.error == "negative-binomial"
        if counts and (least < 0 or any((window.wanted % 1 > 0).any() for window in windows)):
            raise InputError("head.error=negative-binomial: expected counts, but y has other numbers than 0, 1, 2, ...")
        return {"horizon": windows[0].horizon, "never_below_0": least >= 0}

    @property
    def sure(self) -> bool:
        """Whether it says how sure it is: one value alone has no intervals before held-out rows have made them."""
        return not isinstance(self.step, Point) or bool(self.moved.any())

    def targets(self, frame: "pd.DataFrame", where: str) -> Futures:
        return Futures(self.modality, list(frame["y"]), self.spoken.counts, past=self.shifted)

    def reads(self, inputs: Ragged, targets: Future) -> Ragged:
        """While it learns to say the next step, every step but the first to come shows what the one before was."""
        if not (self.shifted and self.training):
            return inputs
        places = (inputs.offsets[1:, None] + torch.arange(1 - self.horizon, 0, device=inputs.offsets.device)).flatten()
        before = targets.wanted[:, :-1].flatten(), targets.there[:, :-1].flatten()
        return inputs.with_values(fill(inputs.values, places, *before))

    def through(self, run: Reading, inputs: Ragged, state: State | None) -> tuple[Ragged, Tensor, State]:
        if not self.shifted:
            return run(inputs, state)
        return sampled(run, self.output, self.step, inputs, self.horizon, self.settings.paths, self.levels)

    def given(self, features: Ragged) -> Tensor:
        """features: [N, F]. Returns what is said of the steps to come, [B, h, size].

        Of paths, whose quantiles stand in the features' place, these.
        """
        if self.shifted:
            return features.values.unflatten(0, (len(features), self.horizon))  # type: ignore[no-untyped-call, no-any-return]
        places = features.offsets[1:, None] + torch.arange(-self.horizon, 0, device=features.offsets.device)
        return self.output(self.dropout(features.values[places]))  # type: ignore[no-any-return]

    def loss(self, features: Ragged, last: Tensor, targets: Future) -> tuple[Tensor, Tensor]:
        """Over the steps to come; shifted: over all steps of the windows."""
        if self.shifted:
            wanted, there = targets.past.nan_to_num().to(last.dtype), ~targets.past.isnan()
            nats = self.step.loss(self.output(self.dropout(features.values)), wanted, wanted)
            return torch.where(there, nats, 0).sum(), there.sum().clamp(min=1)
        by = last.new_tensor(self.unit)
        nats = self.spoken.loss(self.given(features), targets.wanted.to(last.dtype) / by, targets.unit.to(last.dtype))
        there = targets.there
        # In spreads, whose errors count alike at all steps.
        return torch.where(there, nats * by**self.spoken.degree, 0).sum(), there.sum().clamp(min=1)

    def said_of(self, windows: Sequence[Window], given: Tensor, *, calibrated: bool = True) -> Numbers:
        """given: [B, h, size]. Returns the levels' values of y, [B, h, L]."""
        values, scales = self.scaled(windows, given), self.modality.scales.of(windows)
        if calibrated:
            values = np.sort(values + self.moved.double().cpu().numpy().T, axis=-1)
        found = scales.back(scales.ahead()[..., None] + scales.spread[:, None, None] * values)
        floors = np.where([self._never_below_0(window) for window in windows], 0.0, -np.inf)
        return np.maximum(found, floors[:, None, None])

    def _never_below_0(self, window: Window) -> bool:
        """Whether a series is taken for one that is never below 0: no value was, and, where other series are below 0
        at times, there are enough values to say so of the lowest level."""
        if window.line.first_below_0 < window.origin:
            return False
        # The chance that the next of so many is the first below 0, by Laplace's rule of succession.
        enough = int(np.ceil(1 / self.levels[0])) - 2
        return bool(self.known["never_below_0"]) or int(window.line.known[window.origin]) >= enough

    def scaled(self, windows: Sequence[Window], given: Tensor) -> Numbers:
        """The levels' values before calibration, as differences to the base in spreads, [B, h, L]."""
        given = given.detach().cpu()
        values = self.spoken.quantiles(given, self.levels, units(windows))
        if not self.spoken.counts:
            return np.asarray(values * self.unit[:, None])
        scales = self.modality.scales.of(windows)
        return (scales.forward_ahead(values) - scales.ahead()[..., None]) / scales.spread[:, None, None]

    def calibrate(self, measured: Callable[[], Meter]) -> bool:
        """Moves the levels' values until they hold their share of the rows that were measured."""
        if not self.settings.conformal:
            return False
        meter = measured()
        assert isinstance(meter, ForecastMeter)
        windows, given = meter.windows, meter.given()
        values = self.scaled(windows, given)
        scales = self.modality.scales.of(windows)
        wanted = scales.wanted(scales.to_come).reshape(len(windows), -1)
        apart = len({(id(window.line), window.origin // self.horizon) for window in windows})
        for low in range(len(self.levels) // 2):
            high = len(self.levels) - 1 - low
            share = self.levels[high] - self.levels[low]
            outside = np.maximum(values[..., low] - wanted, wanted - values[..., high])
            by = torch.from_numpy(_widths(outside / self.growth, float(share), apart) * self.growth)
            self.moved[low], self.moved[high] = -by, by
        return True

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """What the network says of each step, [h][size]; ``placed`` makes values of y of it."""
        return [{"given": row} for row in self.given(features).tolist()]

    def placed(self, rows: Sequence[Window], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """id, times (Z: in UTC), the value of each step and of each level; of 0.5 alone where it is not ``sure``."""
        if not results:
            return []
        values = self.said_of(rows, torch.tensor([result["given"] for result in results], dtype=torch.float64))
        middle = len(self.levels) // 2
        told = range(len(self.levels)) if self.sure else range(middle, middle + 1)
        return [self._told(*pair, told) for pair in zip(rows, values, strict=True)]

    def _told(self, row: Window, values: Numbers, levels: range) -> dict[str, Any]:
        times, zone = row.line.times[row.origin : row.end], "Z" if row.line.utc else ""
        return {
            "id": row.line.id,
            "times": [str(t).replace("T", " ") + zone if times.dtype.kind == "M" else int(t) for t in times],
            "forecast": values[:, len(self.levels) // 2].tolist(),
            "quantiles": {f"{self.levels[i]:g}": values[:, i].tolist() for i in levels},
        }

    def meter(self) -> Meter:
        return ForecastMeter(self, quick=False)

    def validation_meter(self) -> Meter:
        return ForecastMeter(self, quick=True)


def _widths(outside: Numbers, share: float, apart: int) -> Numbers:
    """outside: [B, h], how far true values lay outside, below 0 for inside, NaN for none. Returns [h].

    The quantile at share * (n + 1) / n of each step's own, or of all steps' where windows are few. n is ``apart``, the
    windows that do not overlap: errors of the others are nearly the same ones again. Of so few that this is beyond the
    largest, nothing is narrowed.
    """
    part = share * (1 + 1 / apart)
    groups = [outside[:, step] for step in range(outside.shape[1])] if apart >= ENOUGH else [outside]
    found = []
    for group in groups:
        there = np.sort(group[~np.isnan(group)])
        width = there[int(np.ceil(min(1.0, part) * len(there))) - 1] if len(there) else 0.0
        found.append(max(0.0, width) if part > 1 else width)
    return np.broadcast_to(found, outside.shape[1]).copy()
