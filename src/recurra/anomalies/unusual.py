"""How unusual a detector's error is among those that the same live series had before."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.anomalies.tail import Tail
from recurra.anomalies.unlike import Unlike
from recurra.errors import InputError
from recurra.sequences.walk import walk

Array = NDArray[np.float64]

# An error counts as at most so many running means when their mean is learnt.
FAR = 6.0
LEAST = 1e-6
# The tails' edges before anything was seen, of a Gaussian's errors over their mean and of the short mean of such; and
# of the rarest of what is watched, in nats.
EDGES, RAREST = (2.0, 1.3), 3.0
# A score so much higher than the one before it in the same event is an event of its own.
RISE = 0.05
# So many changes count as seen of a series that has not changed yet.
CHANGES = 0.1
# A point as unusual as one in so many has the score 1/2.
HALF = 1000.0


@dataclass(frozen=True)
class Habits:
    """memory: about how many steps back errors and values count. recent: steps of the short mean. last: steps whose
    values are held against all. quiet: steps of one event. warm: steps at the beginning whose score is 0.
    """

    memory: int = 2000
    recent: int = 10
    last: int = 20
    quiet: int = 100
    warm: int = 50


def score_of(probability: Array | float) -> Any:
    """The score of what so large a share of points reaches: 0 for all, 1/2 for one in 1,000, towards 1 for none.

    >>> [round(float(score_of(p)), 3) for p in (1.0, 1e-3, 1e-6)]
    [0.0, 0.5, 0.667]
    """
    return _score(-np.log(probability))


def _score(rarity: Array) -> Array:
    rarity = np.maximum(rarity, 0.0) + 0.0  # for which 0 is not -0
    return np.asarray(rarity / (rarity + math.log(HALF)))


class Unusual:
    """The running distribution of live series' errors, and each new error's place in it.

    What a detector says is wrong with a step is an error, and how unlike the last steps' values are to those before
    (``Unlike``) is one more. Of each error two things are watched, as in Ahmad et al. 2017
    (https://doi.org/10.1016/j.neucom.2017.04.070): itself and its mean over the last few steps, which a change of
    pattern moves before any single error is large. Each has its running tail (``Tail``), and the rarest of all counts.
    How rare that one is depends on how the watched go together, so that it has a running tail of its own: a score says
    what share of points are as unusual as a whole.

    One event is one alarm: a score is fresh where none within ``quiet`` steps before it was nearly as high (``RISE``).
    While a series stays what it was from its beginning nothing is learnt and scores are 0; its first change is as rare
    as a rule of succession says of so many steps without one (``CHANGES``).

    states: [capacity, ...] each, changed in place.
    """

    def __init__(self, capacity: int, kinds: int, channels: int, habits: Habits):
        """kinds: K, how many errors a step has. channels: C, numbers of a step itself."""
        self.habits = habits
        self._unlike, kinds = Unlike(capacity, channels, habits.last, habits.memory), kinds + 1
        self._each = Tail(np.repeat(EDGES, kinds), habits.memory)
        self._all = Tail(np.array([RAREST]), habits.memory)
        first = {
            "still": [0.0],
            "count": [0.0],
            "peak": [0.0],
            "age": [0.0],
            "recent": [0.0] * kinds,
            "level": [0.0] * 2 * kinds,
        }
        parts = (("", first), ("each.", self._each.first), ("all.", self._all.first))
        beginning = {f"{part}{name}": np.asarray(value) for part, values in parts for name, value in values.items()}
        self._own = {name: np.tile(value, (capacity, 1)) for name, value in beginning.items()}
        self.states = self._own | {f"unlike.{name}": value for name, value in self._unlike.states.items()}

    def step(self, rows: Any, errors: Array, steps: Array) -> Array:
        """The next step of some rows. errors: [B, K], at least 0; NaN: missing, its scores are 0.

        steps: [B, C], as encoded, of deviation 1 or so, 0 while nothing has changed. Returns [B, 2] in [0, 1): the
        score, and the score once more where it is fresh, else 0.
        """
        rows, scores = np.asarray(rows), np.zeros((len(errors), 2))
        known = ~np.isnan(errors).any(axis=1)
        begun = (self._own["count"][rows, 0] > 0) | steps.any(axis=1)
        self._own["still"][rows[known & ~begun]] += 1
        known &= begun
        if known.any():
            scores[known] = self._step(rows[known], errors[known], steps[known])
        return scores

    def _step(self, rows: NDArray[np.int64], errors: Array, steps: Array) -> Array:
        s = {name: value[rows] for name, value in self._own.items()}
        errors = np.maximum(np.column_stack([errors, self._unlike.step(rows, steps)]), LEAST)
        s["count"] += 1
        s["recent"] += (errors - s["recent"]) / np.minimum(s["count"], self.habits.recent)
        watched = np.concatenate([errors, s["recent"]], axis=1)
        s["level"] = np.where(s["level"] > 0, s["level"], watched)
        watched /= s["level"]
        rarest = self._each.step(watched, s["count"], s, "each.").max(axis=1, keepdims=True)
        rarity = self._all.step(rarest, s["count"], s, "all.")
        s["level"] *= 1 + (np.minimum(watched, FAR) - 1) / np.minimum(s["count"], self.habits.memory)
        # The first change of a series that was still: one step in as many as there were.
        after = np.where(s["count"] == 1, s["still"], s["count"])
        rarity = np.where(s["count"] == 1, np.log1p(s["still"] / CHANGES), rarity)
        score = np.where(after > self.habits.warm, _score(rarity), 0.0)
        fresh = self._fresh(score, s)
        for name, value in s.items():
            self._own[name][rows] = value
        return np.concatenate([score, np.where(fresh, score, 0.0)], axis=1)

    def _fresh(self, score: Array, s: dict[str, Array]) -> NDArray[np.bool_]:
        s["age"] += 1
        fresh = (score > s["peak"] + RISE) | (s["age"] > self.habits.quiet)
        s["peak"], s["age"] = np.where(fresh, score, s["peak"]), np.where(fresh, 0.0, s["age"])
        return fresh


def unusual(errors: Array, steps: Array, offsets: NDArray[np.int64], habits: Habits) -> Array:
    """The scores of whole series, as they would be live. errors: [N, K], series end to end. steps: [N, C].

    Returns [N, 2]. Raises InputError where there are not as many errors and steps as the offsets say.
    """
    if not len(errors) == len(steps) == offsets[-1]:
        raise InputError(f"errors and steps: expected {offsets[-1]} of each, got {len(errors)} and {len(steps)}")
    running, scores = Unusual(len(offsets) - 1, errors.shape[1], steps.shape[1], habits), np.zeros((len(errors), 2))
    for rows, places in walk(offsets):
        scores[places] = running.step(rows, errors[places], steps[places])
    return scores
