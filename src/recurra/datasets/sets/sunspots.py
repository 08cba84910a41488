"""The mean number of sunspots of each month from 1749 to 1983; the years from 1944 are the test.

The cycle of about eleven years is no calendar's: of a season of twelve months there is nothing to be seen.
"""

from recurra.datasets.base import Dataset, File
from recurra.datasets.sets._two_columns import reader

SUNSPOTS = Dataset(
    name="sunspots",
    summary="the mean number of sunspots of each month, 12 months to forecast",
    size="2,040 / 300 / 480 months",
    task="forecast",
    licence="not stated; a classic public series",
    source="Andrews & Herzberg 1985, Data, https://doi.org/10.1007/978-1-4612-5098-2",
    read=reader(valid="1919-01", test="1944-01"),
    defaults={"modality.steps": 132, "modality.every": 1, "modality.around": "last", "head.horizon": 12},
    files={
        "all": File(
            path="timeseries_small/monthly-sunspots.csv",
            hash="sha256:c4ec8cc57d9f6fb6ecdb3e1f37f25b6f4badd5124c55931052b0cd2fc3bc71f3",
            url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/monthly-sunspots.csv",
        )
    },
)
