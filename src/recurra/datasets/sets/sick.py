"""Pairs of sentences by how much they mean the same: ``score`` from 1 to 5, ``entailment`` in three classes."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.tables import lines

# The file holds the three parts one after the other.
_PARTS = {"train": slice(0, 4500), "valid": slice(4500, 5000), "test": slice(5000, None)}


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    rows = [line.split("\t") for line in lines(files["all"].decode())[1:]]
    return {
        split: {
            "text": [row[1] for row in rows[part]],
            "other": [row[2] for row in rows[part]],
            "score": [row[3] for row in rows[part]],
            "entailment": [row[4] for row in rows[part]],
        }
        for split, part in _PARTS.items()
    }


SICK = Dataset(
    name="sick",
    summary="pairs of sentences with how related they are, 1 to 5",
    size="4,500 / 500 / 4,927 pairs",
    task="search",
    licence="CC BY-NC-SA 3.0",
    source="Marelli et al. 2014, https://aclanthology.org/L14-1314",
    read=_read,
    defaults={"head.pool": "max"},
    files={
        "all": File(
            path="sick/SICK.txt.xz",
            hash="sha256:3de6211d6cee83b1b444c1205da36bd18e6cabf5b4debfc24995b1510b796878",
            url="https://raw.githubusercontent.com/praguna/sick_dataset/master/SICK.txt",
        )
    },
)
