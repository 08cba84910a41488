"""Passengers of international airlines each month of 1949 to 1960, in thousands: the last three years are the test.

Box & Jenkins 1970, Time Series Analysis: Forecasting and Control, series G.
"""

from recurra.datasets.base import Dataset, File
from recurra.datasets.sets._two_columns import reader

AIRLINE = Dataset(
    name="airline",
    summary="passengers of international airlines each month, 12 months to forecast",
    size="84 / 24 / 36 months",
    task="forecast",
    licence="not stated; a classic public series",
    source="Box & Jenkins 1970, Time Series Analysis: Forecasting and Control, series G",
    read=reader(valid="1956-01", test="1958-01"),
    defaults={"modality.steps": 36, "modality.every": 1, "modality.scale": "ratio", "head.horizon": 12},
    files={
        "all": File(
            path="timeseries_small/airline-passengers.csv",
            hash="sha256:8cb51be753a718d9be5d76d7e238cc224792754676adc21faa59e954b0201621",
            url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/airline-passengers.csv",
        )
    },
)
