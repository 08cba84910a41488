"""The day's highest temperature in Seattle, in degrees Celsius, with the rest of the weather.

Two years to train on, one to validate and one to test.
"""

import csv
import io
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

PARTS = {"train": ("2012", "2013"), "valid": ("2014",), "test": ("2015",)}
WEATHER = ("precipitation", "temp_min", "wind")


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    rows = list(csv.DictReader(io.StringIO(files["all"].decode())))
    return {part: _columns([row for row in rows if row["date"][:4] in years]) for part, years in PARTS.items()}


def _columns(rows: list[dict[str, str]]) -> Columns:
    return {
        "ds": [row["date"].replace("/", "-") for row in rows],
        "y": [float(row["temp_max"]) for row in rows],
        **{name: [float(row[name]) for row in rows] for name in WEATHER},
    }


SEATTLE_TEMPERATURE = Dataset(
    name="seattle_temperature",
    summary="the highest temperature of each day in Seattle, with the weather, 7 days to forecast",
    size="731 / 365 / 365 days",
    task="forecast",
    licence="public domain (NOAA)",
    source="NOAA, as vega-datasets has it, https://github.com/vega/vega-datasets",
    read=_read,
    columns={"past": ",".join(WEATHER)},
    defaults={"modality.steps": 28, "modality.every": 1, "modality.around": "last", "head.horizon": 7},
    files={
        "all": File(
            path="weather/seattle-weather.csv",
            hash="sha256:62f0609f787158128aa2bd102967173a4953122dd4f872bf1d502cae1037df0b",
            url="https://raw.githubusercontent.com/vega/vega-datasets/main/data/seattle-weather.csv",
        )
    },
)
