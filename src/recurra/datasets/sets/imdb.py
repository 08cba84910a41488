"""Long film reviews, praise or not (``label``), of 1 to 10 stars (``rating``): from the Large Movie Review Dataset.

20,000 of the 25,000 reviews in its training half train and 5,000 test, drawn once with seed 0: equally many of both
classes, and no review in both. Published figures are on the other half, so they are near but not the same.

RECURRA_DATA holds this half as one table (label, id, rating, text); what is downloaded is the published archive, whose
files are put into the table's form: by class, by id, each run of white space in a review as one space.
"""

import io
import re
import tarfile
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File
from recurra.datasets.split import split_rows
from recurra.datasets.tables import lines

_LABELS = {"neg": "negative", "pos": "positive"}


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    data = files["train"]
    rows = _archive(data) if data.startswith(b"\x1f\x8b") else _table(data)
    labels, ratings, texts = zip(*rows, strict=True)
    columns = {"text": texts, "label": [_LABELS[label] for label in labels], "rating": ratings}
    parts = split_rows(texts, {"test": 0.2}, labels=columns["label"], seed=0)
    return {part: {name: [all_[i] for i in at] for name, all_ in columns.items()} for part, at in parts.items()}


def _table(data: bytes) -> list[tuple[str, str, str]]:
    """Label, rating and text of each review."""
    fields = (line.split("\t") for line in lines(data.decode()))
    return [(label, rating, text) for label, _, rating, text in fields]


def _archive(data: bytes) -> list[tuple[str, str, str]]:
    rows = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
        for member in archive:
            found = re.fullmatch(r"(?:\./)?aclImdb/train/(neg|pos)/(\d+)_(\d+)\.txt", member.name)
            if found and (file := archive.extractfile(member)):
                text = re.sub("[ \t\r\n]+", " ", file.read().decode())
                rows.append((found[1], int(found[2]), found[3], text))
    return [(label, rating, text) for label, _, rating, text in sorted(rows)]


IMDB = Dataset(
    name="imdb",
    summary="long film reviews, 2 classes, or 1 to 10 stars; a fixed fifth of the published training half is the test",
    size="20,000 / 5,000 reviews of 234 words on average; valid is cut from the first",
    task="sentiment",
    licence="not stated; for research, to be cited",
    source="Maas et al. 2011, https://ai.stanford.edu/~amaas/data/sentiment",
    read=_read,
    columns={"number": "rating"},
    files={
        "train": File(
            path="imdb/train.tsv.xz",
            hash="sha256:71dda77b41aa23769bd8bc9d233861279a7e9671bbe322110da6c0f49f2a704f",
            url="https://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
            url_hash="md5:7c2ac02c03563afcf9b574c7e56c153a",
        )
    },
)
