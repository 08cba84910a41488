"""The hourly series of the M4 competition: 414 series, the last 48 hours of each to be forecast.

The files have no times, so that steps are counted. Makridakis, Spiliotis & Assimakopoulos 2020,
https://doi.org/10.1016/j.ijforecast.2019.04.014.
"""

import csv
import io
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

_PUBLIC = "https://raw.githubusercontent.com/Mcompetitions/M4-methods/master/Dataset"


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    train, test = (_series(files[part]) for part in ("train", "test"))
    firsts = {id: len(values) for id, values in train.items()}
    return {"train": _long(train, {}), "test": _long(test, firsts)}


def _series(content: bytes) -> dict[str, list[str]]:
    rows = list(csv.reader(io.StringIO(content.decode())))[1:]
    return {id: [value for value in values if value] for id, *values in rows}


def _long(series: dict[str, list[str]], firsts: dict[str, int]) -> Columns:
    """firsts: the step that a series begins with, 0 where it is not in there."""
    steps = [(id, firsts.get(id, 0) + i, float(v)) for id, values in series.items() for i, v in enumerate(values)]
    return {"unique_id": [s[0] for s in steps], "ds": [s[1] for s in steps], "y": [s[2] for s in steps]}


M4_HOURLY = Dataset(
    name="m4_hourly",
    summary="414 hourly series of the M4 competition, 48 hours to forecast",
    size="414 series of 700 to 960 hours, and 48 more each for the test",
    task="forecast",
    licence="not stated; competition data, open",
    source="Makridakis et al. 2020, https://doi.org/10.1016/j.ijforecast.2019.04.014",
    read=_read,
    defaults={"modality.season": 24, "modality.lags": (24, 168), "modality.steps": 168, "head.horizon": 48},
    files={
        "train": File(
            path="m4_hourly/Hourly-train.csv.xz",
            hash="sha256:ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
            url=f"{_PUBLIC}/Train/Hourly-train.csv",
        ),
        "test": File(
            path="m4_hourly/Hourly-test.csv.xz",
            hash="sha256:71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
            url=f"{_PUBLIC}/Test/Hourly-test.csv",
        ),
    },
)
