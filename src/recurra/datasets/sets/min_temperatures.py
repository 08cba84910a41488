"""The lowest temperature of each day in Melbourne from 1981 to 1990, in degrees Celsius.

The last two years are the test. Of the leap years 1984 and 1988 the 31st of December is missing.
"""

from recurra.datasets.base import Dataset, File
from recurra.datasets.sets._two_columns import reader

MIN_TEMPERATURES = Dataset(
    name="min_temperatures",
    summary="the lowest temperature of each day in Melbourne, 7 days to forecast",
    size="2,555 / 365 / 730 days",
    task="forecast",
    licence="not stated; a classic public series",
    source="Australian Bureau of Meteorology",
    read=reader(valid="1988-01-01", test="1989-01-01"),
    defaults={
        "modality.season": 365,
        "modality.steps": 28,
        "modality.every": 1,
        "modality.around": "mean",
        "head.horizon": 7,
    },
    files={
        "all": File(
            path="timeseries_small/daily-min-temperatures.csv",
            hash="sha256:8b9de63ed6789492bf497625e7f9beb96a63d367b4b0a21754006f749fa5e5da",
            url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/daily-min-temperatures.csv",
        )
    },
)
