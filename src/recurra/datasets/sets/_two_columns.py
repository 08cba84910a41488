"""A file of times and numbers as a data set of one series."""

import csv
import io
from collections.abc import Callable, Mapping

from recurra.datasets.base import Columns


def reader(valid: str, test: str) -> Callable[[Mapping[str, bytes]], Mapping[str, Columns]]:
    """valid, test: the times with which these parts begin."""

    def read(files: Mapping[str, bytes]) -> dict[str, Columns]:
        rows = list(csv.reader(io.StringIO(files["all"].decode())))[1:]
        parts: dict[str, list[list[str]]] = {"train": [], "valid": [], "test": []}
        for row in rows:
            if row:
                parts["test" if row[0] >= test else "valid" if row[0] >= valid else "train"].append(row)
        return {p: {"ds": [r[0] for r in found], "y": [float(r[1]) for r in found]} for p, found in parts.items()}

    return read
