"""How unlike the values of a live series' last steps are to all before them."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Values are counted in so many parts between these deviations (as encoded), the outer two open.
PARTS, WITHIN = 9, 2.0
LEAST = 1e-9


class Unlike:
    """The relative entropy of the last steps' values to those of the whole memory, in nats.

    Where a series stays where it never stayed, or fills other parts of its range than it used to, no single step need
    be far from what was forecast. As Wang et al. 2011 (https://doi.org/10.1109/INM.2011.5990537) do in windows, but
    with shares that run and forget, both at first alike in all parts.

    states: [capacity, C, PARTS] and [capacity, 1], changed in place.
    """

    def __init__(self, capacity: int, channels: int, recent: int, memory: int):
        """recent, memory: about how many steps back the last steps and all of them count."""
        self.recent, self.memory = recent, memory
        shares = np.full((capacity, channels, PARTS), 1 / PARTS)
        self.states = {"count": np.zeros((capacity, 1)), "last": shares, "all": shares.copy()}

    def step(self, rows: Any, steps: Array) -> Array:
        """The next step of some rows. steps: [B, C], as encoded. Returns [B], the mean of the channels, at least 0."""
        count, last, whole = (self.states[name][rows] for name in ("count", "last", "all"))
        part = np.searchsorted(np.linspace(-WITHIN, WITHIN, PARTS - 1), steps)
        here = part[:, :, None] == np.arange(PARTS)
        count += 1
        last += (here - last) / np.minimum(count + 1, self.recent)[:, :, None]
        whole += (here - whole) / np.minimum(count + PARTS, self.memory)[:, :, None]
        for name, value in (("count", count), ("last", last), ("all", whole)):
            self.states[name][rows] = value
        entropy: Array = (last * np.log(np.maximum(last, LEAST) / np.maximum(whole, LEAST))).sum(axis=2).mean(axis=1)
        return np.maximum(entropy, 0)
