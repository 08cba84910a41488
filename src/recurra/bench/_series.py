"""Series that are made up: each of a size of its own, with a season and noise."""

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


def table(series: int, points: int, season: int, frequency: str) -> "pd.DataFrame":
    """So many series of so many points in the long form. frequency: between two of them, as pandas has it."""
    import pandas as pd

    draw = np.random.default_rng(0)
    wave = np.sin(np.arange(points) * 2 * np.pi / season)
    y = draw.uniform(1, 100, (series, 1)) * (3 + wave + draw.normal(0, 0.2, (series, points)))
    times = pd.date_range("2024-01-01", periods=points, freq=frequency)
    ids = [f"series {i}" for i in range(series)]
    return pd.DataFrame({"unique_id": np.repeat(ids, points), "ds": np.tile(times, series), "y": y.ravel()})
