"""The S&P 500 at the close of each trading day from 1999 to 2018; 2010 to 2014 validate, the years from 2015 test.

Five years to validate, as intervals that are calibrated on calm years alone would be too narrow for others.
``range`` is the day's highest less its lowest value, as a share of the close. Nothing is known that forecasts closing
prices better than the last one: what can be forecast is how far they will move.
"""

import csv
import io
from collections.abc import Mapping
from datetime import datetime

from recurra.datasets.base import Columns, Dataset, File


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    parts: dict[str, list[tuple[str, float, float]]] = {"train": [], "valid": [], "test": []}
    for row in csv.DictReader(io.StringIO(files["all"].decode())):
        day, close = datetime.strptime(row["Date"], "%m/%d/%Y").date(), float(row["Close"])
        part = "test" if day.year >= 2015 else "valid" if day.year >= 2010 else "train"
        parts[part].append((day.isoformat(), close, (float(row["High"]) - float(row["Low"])) / close))
    return {
        part: {name: [row[i] for row in rows] for i, name in enumerate(("ds", "y", "range"))}
        for part, rows in parts.items()
    }


SP500 = Dataset(
    name="sp500",
    summary="the S&P 500 at the close of each trading day, 5 days to forecast",
    size="2,767 / 1,258 / 1,006 days",
    task="forecast",
    licence="NCSA, as part of the package arch",
    source="arch, https://github.com/bashtage/arch",
    read=_read,
    columns={"past": "range"},
    defaults={
        "modality.frequency": "rows",
        "modality.steps": 60,
        "modality.every": 1,
        "modality.scale": "ratio",
        "modality.around": "last",
        "modality.calendar": False,
        "head.horizon": 5,
    },
    files={
        "all": File(
            path="stocks/sp500.csv.gz",
            hash="sha256:1c4d0aeed8db9284de8ad71e4063c97f645ad6dd13507f8e305338e96c396ba7",
            url="https://raw.githubusercontent.com/bashtage/arch/main/arch/data/sp500/sp500.csv.gz",
            url_hash="sha256:1e028cbb9c400cc018c816ccc439b33c919387e726c3ed5ca2c05c82746059de",
        )
    },
)
