"""How unusual a detector's error is among those that the same live series had before."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import InputError
from recurra.sequences.walk import walk

Array = NDArray[np.float64]

# The share of errors that the tail is made of.
TAIL = 0.1
# What is believed of the tail before any of it was seen, and for how many errors of it that counts: excesses over the
# tail's edge, as shares of the edge, are about those of a Gaussian.
BELIEVED, BELIEF = 0.25, 5.0
# How fast the edge is sought: the inverse of the density of log errors there; of a Gaussian's it is this.
GAIN = 3.0
# The edges in running means, of a Gaussian's errors and of the short mean of such.
EDGES = (2.0, 1.3)
# An error counts as at most so many running means when their mean is learnt.
FAR = 6.0
# One error counts as at most so many mean excesses when the tail is learnt.
REACH = 5.0
HEAVIEST = 0.4
LEAST = 1e-6
# A score so much higher than the one before it in the same event is an event of its own.
RISE = 0.05
# A point as unusual as one in so many has the score 1/2.
HALF = 1000.0


@dataclass(frozen=True)
class Habits:
    """memory: about how many steps back errors count. recent: steps of the short mean. quiet: steps of one event.

    warm: steps at the beginning whose score is 0.
    """

    memory: int = 2000
    recent: int = 10
    quiet: int = 200
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

    Of each error two things are watched, as in Ahmad et al. 2017 (https://doi.org/10.1016/j.neucom.2017.04.070): itself
    and its mean over the last few steps, which a change of pattern moves before any single error is large. Of both the
    upper tail is learnt as it runs and forgets: its edge, which one in ten reaches, by stochastic approximation
    (Robbins & Monro 1951), and above it a generalised Pareto distribution by its first two moments (Hosking & Wallis
    1987; as in Siffer et al. 2017, https://doi.org/10.1145/3097983.3098144). The rarest of all counts.

    One event is one alarm: a score is fresh where none within ``quiet`` steps before it was nearly as high (``RISE``).

    states: [capacity, size] each, changed in place.
    """

    def __init__(self, capacity: int, kinds: int, habits: Habits):
        """kinds: K, how many errors a step has."""
        self.habits = habits
        first = {"count": 0.0, "peak": 0.0, "age": 0.0}
        self.states = {name: np.full((capacity, 1), value) for name, value in first.items()}
        watched = {"level": 0.0, "seen": 0.0, "mean": BELIEVED, "square": 2 * BELIEVED**2}
        self.states |= {name: np.full((capacity, 2 * kinds), value) for name, value in watched.items()}
        self.states |= {"recent": np.zeros((capacity, kinds)), "edge": np.repeat([EDGES], capacity, 0).repeat(kinds, 1)}

    def step(self, rows: Any, errors: Array) -> Array:
        """The next step of some rows. errors: [B, K], at least 0; NaN: missing, its scores are 0.

        Returns [B, 2] in [0, 1): the score, and the score once more where it is fresh, else 0.
        """
        known = ~np.isnan(errors).any(axis=1)
        if not known.all():
            scores = np.zeros((len(errors), 2))
            if known.any():
                scores[known] = self.step(np.asarray(rows)[known], errors[known])
            return scores
        s = {name: value[rows] for name, value in self.states.items()}
        errors = np.maximum(errors, LEAST)
        s["count"] += 1
        s["recent"] += (errors - s["recent"]) / np.minimum(s["count"], self.habits.recent)
        watched = np.concatenate([errors, s["recent"]], axis=1)
        s["level"] = np.where(s["level"] > 0, s["level"], watched)
        watched /= s["level"]
        rarity = self._rarity(watched, s).max(axis=1, keepdims=True) - math.log(watched.shape[1])
        self._learn(watched, s)
        score = np.where(s["count"] > self.habits.warm, _score(rarity), 0.0)
        fresh = self._fresh(score, s)
        for name, value in s.items():
            self.states[name][rows] = value
        return np.concatenate([score, np.where(fresh, score, 0.0)], axis=1)

    def _rarity(self, watched: Array, s: dict[str, Array]) -> Array:
        """Minus the log of the share of errors that are as large."""
        excess = watched / s["edge"] - 1
        heavy = np.clip(0.5 * (1 - s["mean"] ** 2 / np.maximum(s["square"] - s["mean"] ** 2, LEAST)), LEAST, HEAVIEST)
        beyond = np.log1p(heavy * np.maximum(excess, 0) / (s["mean"] * (1 - heavy))) / heavy
        return -math.log(TAIL) * np.minimum(1 + excess, 1) + beyond

    def _learn(self, watched: Array, s: dict[str, Array]) -> None:
        above = watched > s["edge"]
        excess = np.minimum(watched / s["edge"] - 1, REACH * s["mean"])
        s["seen"] += above
        rate = np.where(above, 1 / (np.minimum(s["seen"], TAIL * self.habits.memory) + BELIEF), 0.0)
        s["mean"] += rate * (excess - s["mean"])
        s["square"] += rate * (excess * excess - s["square"])
        pace = GAIN / (np.minimum(s["count"], self.habits.memory) + 2 / TAIL)
        s["edge"] *= np.exp(pace * (above - TAIL))
        s["level"] *= 1 + (np.minimum(watched, FAR) - 1) / np.minimum(s["count"], self.habits.memory)

    def _fresh(self, score: Array, s: dict[str, Array]) -> NDArray[np.bool_]:
        s["age"] += 1
        fresh = (score > s["peak"] + RISE) | (s["age"] > self.habits.quiet)
        s["peak"], s["age"] = np.where(fresh, score, s["peak"]), np.where(fresh, 0.0, s["age"])
        return fresh


def unusual(errors: Array, offsets: NDArray[np.int64], habits: Habits) -> Array:
    """The scores of whole series, as they would be live. errors: [N, K], series end to end. Returns [N, 2]."""
    if len(errors) != offsets[-1]:
        raise InputError(f"errors: expected {offsets[-1]}, got {len(errors)}")
    running, scores = Unusual(len(offsets) - 1, errors.shape[1], habits), np.zeros((len(errors), 2))
    for rows, places in walk(offsets):
        scores[places] = running.step(rows, errors[places])
    return scores
