"""Load and oil temperature of a transformer, each hour: ETTh1, divided and scaled as in the Informer paper.

Twelve months to train on, four to validate and four to test; each of the seven columns is a series of its own,
standardised by its mean and deviation over the twelve months, so that errors are those that papers print. Zhou et al.
2021, https://arxiv.org/abs/2012.07436.
"""

import csv
import io
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File

MONTH = 30 * 24
PARTS = {"train": slice(0, 12 * MONTH), "valid": slice(12 * MONTH, 16 * MONTH), "test": slice(16 * MONTH, 20 * MONTH)}


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    import numpy as np

    names, *rows = csv.reader(io.StringIO(files["all"].decode()))
    values = np.array([row[1:] for row in rows], np.float64)
    known = values[PARTS["train"]]
    values = (values - known.mean(0)) / known.std(0)
    return {
        part: _long(names[1:], [row[0] for row in rows[cut]], values[cut].T.tolist()) for part, cut in PARTS.items()
    }


def _long(names: list[str], times: list[str], columns: list[list[float]]) -> Columns:
    ids = [name for name in names for _ in times]
    return {"unique_id": ids, "ds": times * len(names), "y": [value for column in columns for value in column]}


ETT = Dataset(
    name="ett",
    summary="load and oil temperature of a transformer each hour (ETTh1), standardised, 24 hours to forecast",
    size="7 series of 8,640 / 2,880 / 2,880 hours",
    task="forecast",
    licence="CC BY-ND 4.0",
    source="Zhou et al. 2021, https://arxiv.org/abs/2012.07436",
    read=_read,
    defaults={"modality.steps": 168, "modality.every": 1, "head.horizon": 24, "head.error": "squared"},
    files={
        "all": File(
            path="ett/ETTh1.csv.xz",
            hash="sha256:f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
            url="https://raw.githubusercontent.com/zhouhaoyi/ETDataset/main/ETT-small/ETTh1.csv",
        )
    },
)
