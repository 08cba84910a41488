"""The upper tail of live series of numbers, learnt as they run."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# The share of numbers that the tail is made of.
SHARE = 0.1
# What is believed of the tail before any of it was seen, and for how many numbers of it that counts: excesses over the
# tail's edge, as shares of the edge, are exponential with this mean.
BELIEVED, BELIEF = 0.3, 5.0
# How fast the edge is sought: the tail's share over the density of the numbers' logs there; about a Gaussian's.
GAIN = 0.3
# One number counts as at most so many mean excesses when the tail is learnt.
REACH = 8.0
# How much heavier than an exponential's a tail may be (the shape of the Pareto), and how much lighter (of the Weibull).
HEAVIEST, LIGHTEST = 0.4, 2.0
LEAST = 1e-6


class Tail:
    """How rare each number is among those before it, by a tail that is learnt as it runs and forgets.

    The edge, which one number in ten reaches, is sought by stochastic approximation (Robbins & Monro 1951). Excesses
    over it have, by their first two moments, a generalised Pareto distribution where they vary more than exponential
    ones (Hosking & Wallis 1987; as in Siffer et al. 2017, https://doi.org/10.1145/3097983.3098144), and a Weibull
    distribution where they vary less: a Pareto's tail would end there, and beyond its end nothing is rarer than
    anything else.

    edges: [W], where the edges are believed to be at first. memory: about how many steps back numbers count.
    """

    def __init__(self, edges: Array, memory: int):
        self.memory = memory
        alike = {"mean": BELIEVED, "square": 2 * BELIEVED**2, "seen": 0.0}
        self.first = {"edge": edges, **{name: np.full(len(edges), value) for name, value in alike.items()}}

    def step(self, numbers: Array, count: Array, states: dict[str, Array], part: str) -> Array:
        """The next step. numbers: [B, W], at least 0. count: [B, 1], how many there were, with these.

        states: [B, W] each, those of ``first`` with ``part`` before their names, changed in place. Returns [B, W]:
        minus the log of the share of numbers that are as large.
        """
        edge, mean, square, seen = (states[part + name] for name in ("edge", "mean", "square", "seen"))
        excess = numbers / edge - 1
        known = np.minimum(seen, SHARE * self.memory) + BELIEF
        rarity = -math.log(SHARE) * np.minimum(1 + excess, 1) + self._beyond(excess, mean, square, 1 / known)
        above = excess > 0
        excess = np.minimum(excess, REACH * mean)
        seen += above
        rate = np.where(above, 1 / (known + above), 0.0)
        mean += rate * (excess - mean)
        square += rate * (excess * excess - square)
        edge *= np.exp(GAIN * (above / SHARE - 1) / (np.minimum(count, self.memory) + 2 / SHARE))
        return rarity

    @staticmethod
    def _beyond(excess: Array, mean: Array, square: Array, doubt: Array) -> Array:
        """Minus the log of the share of the tail's excesses that are as large."""
        ratio = mean**2 / np.maximum(square - mean**2, LEAST * mean**2)  # 1 where they are exponential
        heavy = np.clip(0.5 * (1 - ratio), 0, HEAVIEST) + doubt
        light = np.clip(np.sqrt(ratio) ** 1.086, 1.0, LIGHTEST)  # Justus et al. 1978
        t = 1 - 1 / light
        scaled = np.maximum(excess, 0) / mean * (1 + t * (0.39 * t - 0.4228))  # by the gamma function of 1 + 1 / light
        return np.log1p(heavy / (1 - heavy) * scaled**light) / heavy
