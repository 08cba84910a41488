"""Where a moment lies in its day, week and year."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SECONDS = {"s": 1, "min": 60, "h": 3_600, "D": 86_400, "B": 86_400, "W": 604_800}
DAY, YEAR = 86_400, 365.25


def cycles(unit: str, count: int) -> list[str]:
    """The cycles that tell steps of so many units apart: day, week, year; none where steps are just counted.

    >>> cycles("h", 1), cycles("M", 1), cycles("step", 1)
    (['day', 'week', 'year'], ['year'], [])
    """
    if unit in ("step", "Y"):
        return []
    seconds = SECONDS.get(unit, 0) * count
    return [*["day"] * (0 < seconds < DAY), *["week"] * (unit == "rows" or 0 < seconds < 7 * DAY), "year"]


def calendar(times: NDArray[Any], names: list[str]) -> NDArray[np.float32]:
    """times: [N] datetime64[s]. Returns sine and cosine of the place in each cycle, [N, 2 * cycles]."""
    seconds = times.astype(np.int64)
    days = seconds // DAY
    first = times.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    # 1970 began on a Thursday.
    places = {"day": seconds % DAY / DAY, "week": (days + 3) % 7 / 7, "year": (days - first) / YEAR}
    angles = 2 * np.pi * np.stack([np.zeros(len(times)), *(places[name] for name in names)], axis=1)[:, 1:]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
