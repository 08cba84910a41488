"""The Numenta Anomaly Benchmark: 58 series, most of them real, with windows around what was unusual.

The test rows are the whole series. NAB has no training data, but what a detector says of the first 15 % of a series
does not count (``recurra.anomalies.nab``), so that these parts are the training rows here. Column ``windows`` has the
first and the last step of each window, counted from 0: ``3201-3400 3805-4004``.
"""

import csv
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any

from recurra.datasets.base import Columns, Dataset, File


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    import numpy as np

    from recurra.anomalies.nab import probation

    with tarfile.open(fileobj=io.BytesIO(files["all"])) as archive:
        found = {m.name: archive.extractfile(m) for m in archive.getmembers() if m.name.endswith((".csv", ".json"))}
        texts = {name: file.read().decode() for name, file in found.items() if file}
    windows: dict[str, list[list[str]]] = json.loads(texts["labels/combined_windows.json"])
    columns: dict[str, list[Any]] = {name: [] for name in ("id", "series", "time", "windows")}
    for name, edges in sorted(windows.items()):
        rows = list(csv.DictReader(io.StringIO(texts[f"data/{name}"])))
        times = [row["timestamp"].partition(".")[0] for row in rows]
        at = {time: step for step, time in reversed(list(enumerate(times)))}  # of equal times the first, as NAB has it
        steps = [[at[edge.partition(".")[0]] for edge in pair] for pair in edges]
        columns["id"].append(name.removesuffix(".csv"))
        columns["series"].append(np.array([[float(row["value"])] for row in rows]))
        columns["time"].append(np.array(times, dtype="datetime64[s]"))
        columns["windows"].append(" ".join(f"{first}-{last}" for first, last in steps))
    first: Columns = {
        "id": columns["id"],
        "series": [series[: probation(len(series))] for series in columns["series"]],
        "windows": [""] * len(windows),  # none begins so early
    }
    return {"train": first, "test": {**columns}}


NAB = Dataset(
    name="nab",
    summary="Numenta Anomaly Benchmark v1.1: 58 series of servers, traffic, machines and tweets, 116 windows",
    size="58 series, 365,551 points",
    task="anomaly",
    licence="MIT",
    source="Lavin & Ahmad 2015, https://arxiv.org/abs/1510.03336",
    read=_read,
    files={
        "all": File(
            path="nab/nab.tar.xz", hash="sha256:cda971ba79eac74492c76670bd232a06861105b1dc6d57f194b35d237ce2b66d"
        )
    },
)
