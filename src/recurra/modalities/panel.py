"""Windows of series in time: what is known at a moment, and the steps after it, each step with all that is known of it.

A window is one sequence: first the steps that are read, then the ``h`` steps that are forecast, about which it holds
what is known beforehand (the calendar, covariates of the future, the last values of the same season) and no y.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.arrays import written
from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._calendar import calendar, cycles
from recurra.modalities._scales import FEW, Scales, WindowScales
from recurra.modalities.base import Modality
from recurra.sequences import Ragged
from recurra.timeline import Timeline, Window

Kind = Literal["window", "series", "ratio"]
LARGEST = 10.0  # of a target, in spreads, where its mean over windows is asked for


@dataclass(frozen=True)
class PanelConfig:
    """Settings of the modality ``panel``. 0, and an empty list or text: found in the data."""

    frequency: str = setting("", "how far apart steps are: 15min, h, D, B (Monday to Friday), W, M, Q, Y, or rows")
    season: int = setting(0, "steps after which series repeat; 1: they do not")
    steps: int = setting(0, "steps read before those that are forecast")
    stride: int = setting(0, "steps between the windows to train on, and to validate")
    every: int = setting(0, "steps between the windows of the test; 0: the horizon; 1: each step is an origin")
    lags: tuple[int, ...] = setting((), "earlier values that each step also sees, so many steps back")
    scale: Kind = setting(
        "window",
        "by mean and deviation of the window, or of the series in training; ratio: positive numbers, by their "
        "logarithms without the window's seasonal ratios",
    )
    around: Literal["auto", "season", "last", "mean"] = setting(
        "auto", "what a forecast is a difference to: the value a season ago, the last one, the window's mean"
    )
    calendar: bool = setting(True, "each step has its place in the day, the week and the year")

    def __post_init__(self) -> None:
        for name in ("season", "steps", "stride", "every"):
            if getattr(self, name) < 0:
                raise InputError(f"modality.{name}: expected 0 or more, got {getattr(self, name)}")
        if any(lag < 1 for lag in self.lags):
            raise InputError(f"modality.lags: expected steps back, each at least 1, got {self.lags}")


@dataclass(frozen=True)
class _Columns:
    """Mean and deviation of each numeric column over the training rows, and the categories of each other one."""

    mean: list[float]
    deviation: list[float]

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> "_Columns":
        """values: [N, C] with NaN where one is missing."""
        there = ~np.isnan(values)
        count = np.maximum(there.sum(0), 1)
        mean = np.where(there, values, 0).sum(0) / count
        deviation = np.sqrt(np.where(there, (values - mean) ** 2, 0).sum(0) / count)
        return cls(mean.tolist(), np.where(deviation > 0, deviation, 1.0).tolist())

    def scaled(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        """[..., C]; a missing one is read as the mean."""
        found = (values - np.array(self.mean)) / np.array(self.deviation)
        return np.asarray(np.nan_to_num(found), np.float32)


class Panel(Modality):
    """What is known of the training series as a whole: covariates' scales and categories, each series' own scale.

    A row is a ``recurra.timeline.Window``.
    """

    config = PanelConfig
    role = "y"
    timed = True

    # Where the encoded steps have the last value, standardised, whether it is known, the base and the spread.
    LAST, KNOWN, BASE, SPREAD = 0, 1, 3, 4

    def __init__(self, settings: PanelConfig, learnt: dict[str, Any]):
        """learnt: as ``fit`` finds it, plain values."""
        self.settings, self.learnt = settings, learnt
        self.past, self.future, self.levels = (_Columns(**learnt[name]) for name in ("past", "future", "levels"))
        self.static = [spec if isinstance(spec, list) else _Columns(**spec) for spec in learnt["static"]]
        self.cycles = list(learnt["cycles"])
        season, usual = max(1, settings.season), tuple(learnt["usual"])
        self.scales = Scales(settings.scale, learnt["around"], season, learnt["series"], usual)
        self.lags = settings.lags or (max(1, settings.season),)

    @classmethod
    def fit(cls, config: PanelConfig, rows: Iterable[Any], running: bool = False) -> Self:
        """Raises InputError where there is no window, DataError for numbers that the scale cannot have."""
        windows = list(map(_window, rows))
        if not windows:
            raise InputError("column y: no window to learn from")
        lines: dict[int, tuple[Timeline, int]] = {}
        for window in windows:
            end = max(window.until or window.end, lines.get(id(window.line), (window.line, 0))[1])
            lines[id(window.line)] = window.line, end
        unit = str(config.frequency).lstrip("0123456789") or "step"
        count = int(str(config.frequency).removesuffix(unit) or 1)
        dated = windows[0].line.times.dtype.kind == "M"
        around = ("season" if config.season > 1 else "last") if config.around == "auto" else config.around
        series = {line.id: line.y[:end] for line, end in lines.values()}
        known = {}
        if config.scale == "series":
            known = {name: [float(np.nanmean(y)), float(np.nanstd(y)) or 1.0] for name, y in series.items()}
        first = windows[0].line
        static: list[Any] = []
        for column in range(len(first.static)):
            values = [line.static[column] for line, _ in lines.values()]
            numbers = [v for v in values if not isinstance(v, str)]
            if len(numbers) == len(values):
                static.append(vars(_Columns.of(np.array(numbers)[:, None])))
            else:
                static.append(sorted({str(v) for v in values}))
        season = max(1, config.season)
        drawn = Scales(config.scale, around, season, known).of(windows[:: max(1, len(windows) // 2_000)])
        learnt = {
            **_measured(drawn),
            "around": around,
            "cycles": cycles(unit, count) if config.calendar and dated else [],
            "past": vars(_Columns.of(np.concatenate([line.past[:end] for line, end in lines.values()]))),
            "future": vars(_Columns.of(np.concatenate([line.future[:end] for line, end in lines.values()]))),
            "static": static,
            "series": known,
            "names": [list(names) for names in first.names],
        }
        return cls(config, learnt)

    def encode(self, row: Any) -> Tensor:
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Any]) -> Ragged:
        """All windows at once: values [N, I]."""
        return self.encode_scaled(self.scales.of(list(map(_window, rows))))

    def encode_scaled(self, scales: WindowScales) -> Ragged:
        """As ``encode_all``, of windows whose scales are known."""
        offsets = np.concatenate([[0], scales.lengths.cumsum()])
        return Ragged(torch.from_numpy(self._features(scales)), torch.from_numpy(offsets))

    def sequences(self, rows: Iterable[Any]) -> "Windows":
        """The windows encoded when a batch asks for them: together they are many times the data."""
        return Windows(self, list(map(_window, rows)))

    def _features(self, scales: WindowScales) -> NDArray[np.float32]:
        """[N, I] of all windows' steps, one after the other."""
        windows = scales.windows
        if not windows:
            return np.zeros((0, self.width), np.float32)
        self._check_names(windows)
        steps = scales.steps
        row = steps.row
        ahead = steps.step - steps.origin + 1  # of the forecast's steps: 1, 2 and so on
        season = max(1, self.settings.season)
        before = np.where(ahead < 2, steps.step - 1, -1)
        last = scales.at(steps, before)
        a_season_before = scales.at(steps, np.where(before >= season, before - season, -1))
        columns = [
            scales.standard(last, steps),
            ~np.isnan(last),
            np.arcsinh((last - a_season_before) / scales.spread[row]),
            scales.standard(scales.bases(steps), steps),
            (scales.spread / scales.deviation)[row],
            *(scales.standard(scales.at(steps, steps.seen(lag)), steps) for lag in self.lags),
            np.maximum(ahead, 0) / windows[0].horizon,
            ahead > 0,
        ]
        described = self.levels.scaled(np.clip(scales.described, *self.learnt["within"]))[row]
        parts = [np.nan_to_num(np.stack(columns).astype(np.float32), copy=False).T, described]
        spans = [(w.line, *span) for w, span in zip(windows, scales.spans[[0, 2]].T.tolist(), strict=True)]
        if self.past.mean:
            # As of y, what is known of the step before.
            values = np.concatenate([_rows(line.past, start - 1, end - 1) for line, start, end in spans])
            parts.append(np.where((before < 0)[:, None], 0, self.past.scaled(values)).astype(np.float32))
        if self.future.mean:
            parts.append(self.future.scaled(np.concatenate([_rows(line.future, *span) for line, *span in spans])))
        if self.static:
            parts.append(np.stack([self._static(w.line.static) for w in windows])[row])
        if self.cycles:
            times = np.concatenate([line.times[start:end] for line, start, end in spans])
            parts.append(calendar(times, self.cycles))
        return np.concatenate(parts, axis=1)

    def _check_names(self, windows: Sequence[Window]) -> None:
        """Raises InputError where a series has not the covariates that those in training had."""
        for names, window in {w.line.names: w for w in windows}.items():
            for kind, known, got in zip(("past", "future", "static"), self.learnt["names"], names, strict=True):
                if known != list(got):
                    raise InputError(
                        f"series {window.line.id}: expected {kind} covariates {', '.join(known) or 'none'}, as in "
                        f"training, got {', '.join(got) or 'none'}; choose with {kind}=..."
                    )

    def _static(self, values: tuple[float | str, ...]) -> NDArray[np.float32]:
        """One vector for a series; of a category that is new it says that it is none of the known."""
        parts = []
        for value, spec in zip(values, self.static, strict=True):
            if isinstance(spec, list):
                parts.append(np.array([str(value) == known for known in spec], np.float32))
            else:
                parts.append(spec.scaled(np.array([float(value)])))
        return np.concatenate(parts)

    @property
    def width(self) -> int:
        """I."""
        static = sum(len(spec) if isinstance(spec, list) else 1 for spec in self.static)
        covariates = len(self.past.mean) + len(self.future.mean)
        return 9 + len(self.lags) + covariates + static + 2 * len(self.cycles)

    def notes(self, rows: Iterable[Any]) -> list[str]:
        return []

    def decode(self, steps: Any) -> str:
        """Each step's numbers as the network reads them."""
        return written(np.asarray(steps, np.float64))

    def natural_width(self, hidden: int) -> int:
        return self.width

    def encoder(self, width: int) -> nn.Module:
        return nn.Identity() if width == self.width else nn.Linear(self.width, width)

    def to_json(self) -> dict[str, Any]:
        return {"settings": to_dict(self.settings), "learnt": self.learnt}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        try:
            return cls(from_dict(PanelConfig, values["settings"]), values["learnt"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"panel: not what was saved by modality panel ({error})") from error


def _measured(scales: WindowScales) -> dict[str, Any]:
    """What windows are like: their levels, and within which these lie; how wide the usual one is; and how far off its
    base is at each step to come, in spreads."""
    windows, levels = scales.windows, scales.described
    told = scales.told & [np.count_nonzero(~np.isnan(window.history)) >= FEW for window in windows]
    share = scales.deviation / np.maximum(np.abs(scales.mean), scales.deviation)
    figures = (share, scales.spread / scales.deviation, scales.deviation)
    off = np.minimum(np.abs(scales.wanted(scales.to_come)), LARGEST).reshape(len(windows), -1)
    known = ~np.isnan(off)
    growth = np.where(known, off, 0).sum(0) / np.maximum(known.sum(0), 1)
    return {
        "levels": vars(_Columns.of(levels)),
        "within": [levels.min(0).tolist(), levels.max(0).tolist()],
        "usual": [float(np.median(figure[told])) for figure in figures] if told.any() else list(Scales.usual),
        "growth": np.where(growth > 0, growth, 1.0).tolist(),
    }


class Windows:
    """Windows that are encoded a batch at a time. lengths: [B] int64."""

    def __init__(self, modality: Panel, windows: list[Window]):
        self.modality, self.scales = modality, modality.scales.of(windows)
        self.lengths = torch.from_numpy(self.scales.lengths)

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitem__(self, rows: Tensor) -> Ragged:
        return self.modality.encode_scaled(self.scales[rows.numpy()])


def _rows(values: NDArray[np.float64], start: int, end: int) -> NDArray[np.float64]:
    """values[start:end]; missing where there is no such row."""
    found = values[max(0, start) : max(0, end)]
    nothing = np.full((end - start - len(found), values.shape[1]), np.nan)
    return np.concatenate([nothing, found] if start < 0 else [found, nothing])


def _window(row: Any) -> Window:
    if not isinstance(row, Window):
        raise InputError(
            f"expected a window of a series in time, got {type(row).__name__}; give a table with --file, or in "
            "Python use recurra.Forecaster"
        )
    return row
