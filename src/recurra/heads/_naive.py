"""What one would forecast without a model."""

import math
from collections.abc import Sequence

import numpy as np

from recurra.timeline import Numbers, Window

# Further back than this no seasonal index looks.
LONGEST = 2_000
CRITICAL = 1.645  # of a normal distribution, for a level of 90 %


def naive(window: Window, season: int) -> Numbers:
    """[h], the last value."""
    return np.full(window.horizon, window.line.carried(1)[window.origin - 1])


def seasonal_naive(window: Window, season: int) -> Numbers:
    """[h], the value one season before, of the last season that is known; the last value where there is none."""
    places = window.origin - season + np.arange(window.horizon) % season
    found = np.where(places < 0, np.nan, window.line.carried(season)[np.maximum(places, 0)])
    return np.where(np.isnan(found), naive(window, season), found)


def drift(window: Window, season: int) -> Numbers:
    """[h], the last value and the mean change of a step over all that is known."""
    known = np.flatnonzero(~np.isnan(window.line.y[: window.origin]))
    first, last = (window.line.y[known[i]] for i in (0, -1))
    slope = (last - first) / max(1, known[-1] - known[0])
    return np.asarray(last + slope * (window.origin - 1 - known[-1] + 1 + np.arange(window.horizon)))


def naive2(window: Window, season: int) -> Numbers:
    """[h], the last value, times the season's ratio where the series has one: the M4 competition's Naive2.

    Whether it has one says a test of the autocorrelation at the season, at 90 %; the ratios are those of the
    classical multiplicative decomposition. Makridakis et al. 2020, https://doi.org/10.1016/j.ijforecast.2019.04.014.
    """
    y = window.line.carried(season)[max(0, window.origin - LONGEST) : window.origin]
    y = np.where(np.isnan(y), window.line.carried(1)[max(0, window.origin - LONGEST) : window.origin], y)
    y = y[~np.isnan(y)]
    last = naive(window, season)
    if not _is_seasonal(y, season):
        return last
    ratios = _ratios(y, season)
    ahead = ratios[(len(y) + np.arange(window.horizon)) % season]
    return np.asarray(last / ratios[(len(y) - 1) % season] * ahead)


NAIVES = {"naive": naive, "seasonal naive": seasonal_naive, "drift": drift}


def _is_seasonal(y: Numbers, season: int) -> bool:
    if season < 2 or len(y) < 3 * season or (y <= 0).any():
        return False
    rest = y - y.mean()
    total = float(rest @ rest)
    if total == 0:
        return False
    found = np.array([rest[lag:] @ rest[:-lag] for lag in range(1, season + 1)]) / total
    limit = CRITICAL * math.sqrt((1 + 2 * float((found[:-1] ** 2).sum())) / len(y))
    return bool(abs(found[-1]) > limit)


def _ratios(y: Numbers, season: int) -> Numbers:
    """[season], by the step in y modulo the season; their mean is 1."""
    sums = np.concatenate([[0.0], y.cumsum()])
    means = (sums[season:] - sums[:-season]) / season
    if season % 2 == 0:
        means = (means[1:] + means[:-1]) / 2
    middle = np.arange(len(means)) + season // 2
    ratios = y[middle] / means
    found = np.bincount(middle % season, ratios, season) / np.bincount(middle % season, minlength=season)
    return np.asarray(found / found.mean())


def scaled_errors(windows: Sequence[Window], season: int) -> Numbers:
    """[B], the seasonal naive's mean absolute error before each window's origin, over all that is known: what MASE
    divides by. NaN where it is 0 or there is nothing to compare."""
    sums: dict[tuple[int, int], tuple[Numbers, Numbers]] = {}
    found = np.full(len(windows), np.nan)
    for i, window in enumerate(windows):
        for apart in dict.fromkeys((season, 1)):
            key = id(window.line), apart
            if key not in sums:
                errors = np.abs(window.line.y[apart:] - window.line.y[:-apart])
                there = ~np.isnan(errors)
                sums[key] = np.where(there, errors, 0).cumsum(), there.cumsum()
            last = window.origin - apart - 1
            if last >= 0 and sums[key][1][last]:
                found[i] = sums[key][0][last] / sums[key][1][last] or np.nan
                break
    return found
