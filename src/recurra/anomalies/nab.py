"""The score of the Numenta Anomaly Benchmark.

A detector gives each point of a series a score in [0, 1]; at or above a threshold it is a detection. Each window that
is labelled counts once, by its best detection: +1 at the window's left edge, falling along a sigmoid to 0 at its right
edge. A window without any costs the profile's ``missed``, and each detection outside of windows up to its ``false``,
less shortly after a window. The first 15 % of a series (at most 750 points) do not count. The threshold is one for all
series, the best for the profile, and the sum is normalised: a silent detector has 0 and a perfect one 100.

Lavin & Ahmad 2015, https://arxiv.org/abs/1510.03336; rules and profiles as in NAB v1.1, https://github.com/numenta/NAB.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recurra.errors import InputError

PROBATION = 0.15
MOST_PROBATION = 750
# A detection so many window lengths behind a window costs as much as one anywhere else.
FAR = 3.0
STEEPNESS = 5.0
# Above any score: no detections at all.
SILENT = 1.1

Array = NDArray[np.float64]
Windows = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Profile:
    """What mistakes cost. missed: a window without detection. false: a detection outside of windows."""

    missed: float
    false: float


PROFILES = {"standard": Profile(1.0, 0.11), "low_fp": Profile(1.0, 0.22), "low_fn": Profile(2.0, 0.11)}


@dataclass(frozen=True)
class Scored:
    """score: 0 for silence, 100 for perfection. threshold: that it was reached with.

    found, windows: how many windows have a detection, of how many. false: detections outside of windows.
    """

    score: float
    threshold: float
    found: int
    windows: int
    false: int


def probation(steps: int) -> int:
    """How many points at the beginning of a series do not count.

    >>> probation(1000), probation(20_000)
    (150, 750)
    """
    return min(int(PROBATION * steps), MOST_PROBATION)


def nab_score(
    scores: Sequence[Array], windows: Sequence[Windows], profile: str = "standard", threshold: float | None = None
) -> Scored:
    """A detector's score over all series together.

    scores: of each series, [T] in [0, 1]. windows: of each series, the first and the last step of each window, in
    order. profile: standard, low_fp or low_fn. threshold: None for the best one, which NAB takes. Raises InputError
    where scores are no numbers in [0, 1], or windows lie outside of a series.

    >>> quiet, sure = np.zeros(100), np.zeros(100)
    >>> sure[50] = 1.0
    >>> [nab_score([s], [[(50, 59)]]).score for s in (quiet, sure)]
    [0.0, 100.0]
    """
    if profile not in PROFILES:
        raise InputError(f"profile: expected {', '.join(PROFILES)}, got {profile!r}")
    weights = PROFILES[profile]
    parts = [_part(i, *pair) for i, pair in enumerate(zip(scores, windows, strict=True), 1)]
    count = sum(len(part.starts) for part in parts)
    if not count:
        raise InputError("windows: expected at least one that ends after the probation of its series, got none")
    totals, given = _totals(parts, count, weights)
    at = int(totals.argmax()) if threshold is None else int(np.searchsorted(-given, -threshold, side="right")) - 1
    # A threshold between two scores detects what the higher one does.
    chosen = float(given[at]) if threshold is None else threshold
    silent, perfect = -weights.missed * count, float(count)
    detected = [part.scores >= chosen for part in parts]
    return Scored(
        score=100 * float(totals[at] - silent) / (perfect - silent),
        threshold=chosen,
        found=sum(len(set(part.window[d & (part.window >= 0)])) for part, d in zip(parts, detected, strict=True)),
        windows=count,
        false=sum(int((d & (part.window < 0)).sum()) for part, d in zip(parts, detected, strict=True)),
    )


@dataclass(frozen=True)
class _Part:
    """The points of a series that count. window: the number of a point's window, -1 outside. place: see ``_place``.

    starts: numbers of the windows that have a point that counts.
    """

    scores: Array
    window: NDArray[np.int64]
    place: Array
    starts: NDArray[np.int64]


def _part(number: int, scores: Array, windows: Windows) -> _Part:
    scores = np.asarray(scores, np.float64)
    steps = len(scores)
    if scores.ndim != 1 or not ((scores >= 0) & (scores <= 1)).all():
        raise InputError(f"scores of series {number}: expected [T] numbers from 0 to 1")
    window, place = np.full(steps, -1, np.int64), np.full(steps, np.inf)
    end = -1
    for i, (first, last) in enumerate(windows):
        if not end < first <= last < steps:
            raise InputError(
                f"window {i + 1} of series {number}: expected steps in order from {end + 1} to {steps - 1}, "
                f"got {first} to {last}"
            )
        end, width = last, last - first + 1
        inside, behind = np.arange(first, last + 1), np.arange(last + 1, steps)
        window[inside], place[inside] = i, (inside - last - 1) / width
        place[behind] = (behind - last) / (width - 1) if width > 1 else np.inf
    begin = probation(steps)
    window = window[begin:]
    return _Part(scores[begin:], window, place[begin:], np.unique(window[window >= 0]))


def _worth(place: Array) -> Array:
    """A detection's, from 1 to -1. place: -1 at a window's left edge, 0 at its right one, above 0 behind it."""
    clipped = np.minimum(place, FAR + 1)
    value = 2 / (1 + np.exp(STEEPNESS * clipped)) - 1
    best = 2 / (1 + np.exp(-STEEPNESS)) - 1
    return np.where(place > FAR, -1.0, np.where(place < 0, value / best, value))


def _totals(parts: Sequence[_Part], count: int, weights: Profile) -> tuple[Array, Array]:
    """The sum at each threshold, from silence down, and the thresholds."""
    scores, gains = [], []
    for part in parts:
        worth = _worth(part.place)
        gain = np.where(part.window < 0, weights.false * worth, 0.0)
        for i in part.starts:
            inside = (part.window == i).nonzero()[0]
            order = inside[(-part.scores[inside]).argsort(kind="stable")]
            reached = np.maximum.accumulate(np.concatenate([[-weights.missed], worth[order]]))
            gain[order] = np.diff(reached)
        scores.append(part.scores)
        gains.append(gain)
    found, gain = np.concatenate(scores), np.concatenate(gains)
    order = (-found).argsort(kind="stable")
    found, sums = found[order], gain[order].cumsum()
    last = np.append(found[1:] != found[:-1], True)
    totals = np.concatenate([[0.0], sums[last]]) - weights.missed * count
    return totals, np.concatenate([[SILENT], found[last]])
