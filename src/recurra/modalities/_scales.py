"""The scale of each window: what it is standardised by, what its forecast is a difference to, and in which unit.

A forecast is ``base + spread * network``: the base is what one would say without a network, the spread how wrong that
has been on average in the window. With ``ratio`` all of this is done with logarithms from which the window's seasonal
factors are taken (the seasonal ratios of ES-RNN, Smyl 2020, https://doi.org/10.1016/j.ijforecast.2019.03.017, here
from the window alone).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError
from recurra.timeline import Numbers, Timeline, Window

Places = NDArray[np.int64]
TINY = 1e-9
# A deviation so much smaller than the numbers is their rounding.
ROUNDING = 1e-13
# Fewer values say nothing of how wide a series is.
FEW = 3


class Lines:
    """The series of many windows, end to end, so that steps of any of them are looked up at once."""

    def __init__(self, windows: Sequence[Window]):
        self._lines: dict[int, Timeline] = {id(window.line): window.line for window in windows}
        ends = np.cumsum([len(line.y) for line in self._lines.values()])
        begins = dict(zip(self._lines, [0, *ends.tolist()], strict=False))
        self._values: dict[int, Numbers] = {}
        # [5, B]: each window's first step, origin and end in its series, and where its series begins here; and the
        # step at which what may be looked at ends.
        parts = [(w.start, w.origin, w.end, begins[id(w.line)], w.until or w.end) for w in windows]
        self.spans = np.array(parts, np.int64).reshape(-1, 5).T

    def y(self, apart: int = 0) -> Numbers:
        """apart: where a value is missing it is the one so many steps before; 0: it stays missing."""
        if apart not in self._values:
            values = [line.carried(apart) if apart else line.y for line in self._lines.values()]
            self._values[apart] = np.concatenate([*values, np.zeros(0)])
        return self._values[apart]


@dataclass(frozen=True)
class Steps:
    """Steps of windows, those of one after those of the one before, [N] each. row: which window. step: of its series.
    origin: of the window. begin: where its series begins in ``Lines``.
    """

    row: Places
    step: Places
    origin: Places
    begin: Places

    @classmethod
    def of(cls, first: Places, origin: Places, end: Places, begin: Places) -> "Steps":
        """[B] each, of the windows."""
        lengths = end - first
        row = np.repeat(np.arange(len(lengths)), lengths)
        step = np.arange(len(row)) + (first - lengths.cumsum() + lengths)[row]
        return cls(row, step, origin[row], begin[row])

    def seen(self, lag: int) -> Places:
        """[N], the latest step before the origin that lies whole lags before each step; -1: none."""
        back = np.maximum(1, -(-(self.step - self.origin + 1) // lag))
        return np.asarray(np.maximum(self.step - back * lag, -1))


@dataclass(frozen=True)
class Scales:
    """kind: window, series or ratio. around: season, last or mean. series: mean and deviation of each that is known.

    usual: of a window that has too few values to tell, the deviation as a share of the mean, the spread as one of the
    deviation, and the deviation where the mean is 0.
    """

    kind: str
    around: str
    season: int
    series: Mapping[str, Sequence[float]]
    usual: tuple[float, float, float] = (0.1, 1.0, 1.0)

    def of(self, windows: Sequence[Window]) -> "WindowScales":
        """Of each window its own."""
        count = len(windows)
        mean, deviation, spread = np.zeros(count), np.ones(count), np.ones(count)
        told = np.ones(count, bool)
        factors = np.zeros((count, self.season)) if self.kind == "ratio" else None
        for i, window in enumerate(windows):
            z = window.history
            if factors is not None:
                if (z <= 0).any():
                    raise DataError(
                        f"series {window.line.id}, step {window.start + int((z <= 0).argmax()) + 1}: "
                        f"{z[(z <= 0).argmax()]:g} is not positive, as modality.scale=ratio needs; use "
                        "modality.scale=window"
                    )
                z = np.log(z)
                factors[i] = seasonal_factors(z, window.start, self.season)
                z = z - factors[i][np.arange(window.start, window.origin) % self.season]
            there = z[~np.isnan(z)]
            known = self.series.get(window.line.id)
            if known is not None:
                mean[i], deviation[i] = known
            elif len(there):
                mean[i] = there.mean()
                deviation[i] = there.std() if len(there) >= FEW else self.usual[0] * abs(mean[i]) or self.usual[2]
            spread[i] = self._spread(z, there) if len(there) >= FEW else self.usual[1] * deviation[i]
            if deviation[i] <= ROUNDING * abs(mean[i]):
                # Of a constant window nothing is known but its size, of its whole series more at times.
                whole = window.line.y[: window.origin]
                whole = (whole if factors is None else np.log(whole))[~np.isnan(whole)]
                deviation[i] = whole.std() if len(whole) >= FEW else 0.0
                told[i] = deviation[i] > ROUNDING * abs(mean[i])
                deviation[i] = deviation[i] if told[i] else abs(mean[i]) * 0.01 or TINY
            spread[i] = spread[i] if spread[i] > ROUNDING * abs(mean[i]) else deviation[i]
        lines = Lines(windows)
        return WindowScales(self, windows, mean, deviation, spread, told, factors, lines, lines.spans)

    def _spread(self, z: Numbers, there: Numbers) -> float:
        """Mean absolute error of the base over the window."""
        if self.around == "mean":
            return float(np.abs(there - there.mean()).mean()) if len(there) else 0.0
        apart = self.season if self.around == "season" else 1
        for lag in dict.fromkeys((apart, 1)):
            errors = np.abs(z[lag:] - z[:-lag])
            errors = errors[~np.isnan(errors)]
            if len(errors):
                return float(errors.mean())
        return 0.0


@dataclass(frozen=True)
class WindowScales:
    """mean, deviation, spread: [B]. told: [B], whether there was anything to tell them from; a constant series has
    none, and nothing is learnt of what it will be. factors: [B, season] logarithms, where there are any. spans: as of
    ``Lines``.
    """

    scales: Scales
    windows: Sequence[Window]
    mean: Numbers
    deviation: Numbers
    spread: Numbers
    told: NDArray[np.bool_]
    factors: Numbers | None
    lines: Lines
    spans: Places

    def __getitem__(self, rows: NDArray[np.int64]) -> "WindowScales":
        """Those of some of the windows."""
        parts = (self.mean[rows], self.deviation[rows], self.spread[rows], self.told[rows])
        factors = None if self.factors is None else self.factors[rows]
        windows = [self.windows[row] for row in rows]
        return WindowScales(self.scales, windows, *parts, factors, self.lines, self.spans[:, rows])

    @cached_property
    def steps(self) -> Steps:
        """Of the windows, those that are read and those that are forecast."""
        return Steps.of(*self.spans[:4])

    @cached_property
    def to_come(self) -> Steps:
        """Those that are forecast."""
        _, origin, end, begin, _ = self.spans
        return Steps.of(origin, origin, end, begin)

    @property
    def lengths(self) -> Places:
        """[B], of the windows."""
        return np.asarray(self.spans[2] - self.spans[0])

    @property
    def until(self) -> Places:
        """[B], the step of its series at which what may be looked at ends."""
        return np.asarray(self.spans[4])

    @property
    def described(self) -> Numbers:
        """[B, 2], as logarithms and whatever the unit: how wide each window is for its size, and how well known by its
        base."""
        wide = self.deviation if self.factors is not None else self.deviation / (self.deviation + np.abs(self.mean))
        return np.log(np.stack([wide, self.spread / self.deviation], axis=1))

    def at(self, steps: Steps, places: Places, apart: int = 0) -> Numbers:
        """[N], the scaled values at these places of the steps' series; NaN at place -1. apart: as of ``Lines``."""
        found = np.where(places < 0, np.nan, self.lines.y(apart)[np.maximum(places, 0) + steps.begin])
        if self.factors is None:
            return found
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.log(found) - self.factors[steps.row, places % self.scales.season])

    def standard(self, z: Numbers, steps: Steps) -> Numbers:
        return np.asarray((z - self.mean[steps.row]) / self.deviation[steps.row])

    def bases(self, steps: Steps) -> Numbers:
        """[N], as scaled: what is said of each step without a network; the window's mean where there is nothing."""
        found = self.mean[steps.row]
        if self.scales.around == "mean":
            return found
        apart = self.scales.season if self.scales.around == "season" else 1
        places = steps.seen(apart)
        for lag in dict.fromkeys((1, apart)):  # a series that is younger than a season has its last value
            at = places if lag == apart else np.minimum(steps.step, steps.origin) - 1
            z = self.at(steps, at, lag)
            found = np.where(np.isfinite(z), z, found)
        return found

    def ahead(self) -> Numbers:
        """[B, h], the bases of the steps that are forecast."""
        return self.bases(self.to_come).reshape(len(self.windows), -1)

    def wanted(self, steps: Steps, counts: bool = False) -> Numbers:
        """[N], what y is at these steps of the windows: its difference to the base, in spreads; NaN where nobody knows,
        and where there is no scale to say it in.

        counts: y itself.
        """
        if counts:
            found = self.lines.y()[steps.step + steps.begin]
        else:
            found = (self.at(steps, steps.step) - self.bases(steps)) / self.spread[steps.row]
            found[~self.told[steps.row]] = np.nan
        return np.where(np.isfinite(found) & (steps.step < self.until[steps.row]), found, np.nan)

    def forward_ahead(self, y: Numbers) -> Numbers:
        """y: [B, h, L], of the steps that are forecast. Returns it as scaled."""
        if self.factors is None:
            return y
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.log(y) - self._factors_ahead()[..., None])

    def _factors_ahead(self) -> Numbers:
        """[B, h]"""
        assert self.factors is not None
        places = np.array([w.origin for w in self.windows])[:, None] + np.arange(self.windows[0].horizon)
        return np.take_along_axis(self.factors, places % self.scales.season, axis=1)

    def back(self, z: Numbers) -> Numbers:
        """z: [B, h, L] as scaled. Returns y."""
        return z if self.factors is None else np.asarray(np.exp(z + self._factors_ahead()[..., None]))


def seasonal_factors(z: Numbers, start: int, season: int) -> Numbers:
    """[season], by (step % season): how far each place in the season lies from the mean over one season around it.

    z: from step ``start`` on. Zeros where there are less than two seasons. They add up to 0.
    """
    if season < 2 or len(z) < 2 * season:
        return np.zeros(season)
    there = np.where(np.isnan(z), 0, z)
    sums, counts = (np.concatenate([[0.0], x.cumsum()]) for x in (there, (~np.isnan(z)).astype(float)))
    weights = np.maximum(counts[season:] - counts[:-season], 1)
    means = (sums[season:] - sums[:-season]) / weights
    if season % 2 == 0:
        means = (means[1:] + means[:-1]) / 2
    middle = np.arange(len(means)) + season // 2
    rest, place = z[middle] - means, (start + middle) % season
    good = ~np.isnan(rest)
    total = np.bincount(place[good], rest[good], minlength=season)
    found = total / np.maximum(np.bincount(place[good], minlength=season), 1)
    return np.asarray(found - found.mean())
