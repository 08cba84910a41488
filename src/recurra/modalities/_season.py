"""What series that repeat themselves day by day, or week by week, are about to do."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A day's steps where one takes an hour, 30, 15, 10 or 5 minutes, and a week's where it takes an hour or 30 minutes.
SEASONS = (24, 48, 96, 144, 168, 288, 336)
# A season that was compared with so few steps is not believed yet.
FEW = 20


class Season:
    """The next step as it was one season before, with the season that has repeated itself best so far.

    No calendar is needed: whichever of ``SEASONS`` a series has shows in how near its steps are to those one season
    before them. What was one season before counts by its correlation with what is, as in a regression: nothing where no
    season repeats itself.

    states: [capacity, ...] each, changed in place. memory: about how many steps back a comparison counts.
    """

    def __init__(self, capacity: int, channels: int, memory: int):
        self.memory = memory
        self.states: dict[str, NDArray[Any]] = {
            "count": np.zeros((capacity, 1), np.int64),
            "past": np.zeros((capacity, max(SEASONS), channels)),
            "square": np.zeros((capacity, 1)),
            "apart": np.zeros((capacity, len(SEASONS))),
        }

    def step(self, rows: Any, steps: Array, known: NDArray[np.bool_]) -> Array:
        """The next step of some rows. steps: [B, C], as encoded. known: [B], nothing is learnt of the others.

        Returns what the step after it is about, [B, C], 0 where there is no telling.
        """
        rows = np.arange(len(self.states["count"]))[rows]
        past, seasons = self.states["past"], np.array(SEASONS)
        count, square, apart = (self.states[name][rows] for name in ("count", "square", "apart"))
        before = past[rows[:, None], (count - seasons) % len(past[0])]
        compared = count - seasons
        rate = np.where((compared >= 0) & known[:, None], 1 / np.clip(compared + 1, 1, self.memory), 0.0)
        apart += rate * (np.square(steps[:, None] - before).mean(axis=2) - apart)
        rate = np.where(known[:, None], 1 / np.minimum(count + 1, self.memory), 0.0)
        square += rate * (np.square(steps).mean(axis=1, keepdims=True) - square)
        past[rows, count[:, 0] % len(past[0])] = steps
        for name, value in (("count", count + 1), ("square", square), ("apart", apart)):
            self.states[name][rows] = value
        alike = np.where(compared >= FEW, 1 - apart / np.maximum(2 * square, 1e-12), 0.0)
        best = alike.argmax(axis=1)[:, None]
        said = past[rows, ((count + 1)[:, 0] - seasons[best[:, 0]]) % len(past[0])]
        found: Array = np.clip(np.take_along_axis(alike, best, axis=1), 0, 1) * said
        return found
