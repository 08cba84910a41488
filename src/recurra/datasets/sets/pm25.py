"""Fine dust over Beijing each hour, with the weather: ``pm2.5`` in micrograms a cubic metre, with gaps.

Three years to train on, one to validate and one to test. The direction of the wind is four columns of 0 and 1. Liang et
al. 2015, https://doi.org/10.1098/rspa.2015.0257.
"""

import csv
import io
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

PARTS = {"train": ("2010", "2011", "2012"), "valid": ("2013",), "test": ("2014",)}
WEATHER = ("DEWP", "TEMP", "PRES", "Iws", "Is", "Ir")
WINDS = ("NW", "NE", "SE", "cv")


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    rows = list(csv.DictReader(io.StringIO(files["all"].decode())))
    return {part: _columns([row for row in rows if row["year"] in years]) for part, years in PARTS.items()}


def _columns(rows: list[dict[str, str]]) -> Columns:
    day = "{year}-{month:0>2}-{day:0>2} {hour:0>2}:00"
    return {
        "ds": [day.format(**row) for row in rows],
        "y": [None if row["pm2.5"] == "NA" else float(row["pm2.5"]) for row in rows],
        **{name: [float(row[name]) for row in rows] for name in WEATHER},
        **{f"wind_{name}": [float(row["cbwd"] == name) for row in rows] for name in WINDS},
    }


PM25 = Dataset(
    name="pm25",
    summary="fine dust over Beijing each hour, with the weather, 24 hours to forecast",
    size="26,304 / 8,760 / 8,760 hours, 2,067 of them without a measurement",
    task="forecast",
    licence="research (UCI Machine Learning Repository)",
    source="Liang et al. 2015, https://doi.org/10.1098/rspa.2015.0257",
    read=_read,
    columns={"past": ",".join([*WEATHER, *(f"wind_{name}" for name in WINDS)])},
    defaults={"modality.steps": 96, "modality.around": "last", "head.horizon": 24},
    files={
        "all": File(
            path="weather/beijing_pm25_pollution.csv.xz",
            hash="sha256:892e9559205d16d32623135c127a3951c12e46ea1e0b3093e107ce89a9fd60e2",
            url="https://raw.githubusercontent.com/jbrownlee/Datasets/master/pollution.csv",
        )
    },
)
