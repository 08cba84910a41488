"""Sentences of the Wall Street Journal with their words' parts of speech (``pos``) and phrases (``chunk``, IOB2)."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset, File, unzip
from recurra.datasets.tables import conll_columns


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _columns(unzip(files["zip"], f"conll2000/{split}.txt").decode()) for split in ("train", "test")}


def _columns(text: str) -> Columns:
    columns = conll_columns(text, "conll2000")
    return {"text": columns["text"], "pos": columns["2"], "chunk": columns["tags"]}


CONLL2000 = Dataset(
    name="conll2000",
    summary="news with parts of speech and 11 kinds of phrases",
    size="8,936 / 2,012 sentences; valid is cut from the first",
    task="chunk",
    licence="not stated; for research",
    source="Tjong Kim Sang & Buchholz 2000, https://aclanthology.org/W00-0726",
    read=_read,
    files={
        "zip": File(
            path="conll2000/conll2000.zip",
            hash="sha256:01e65164f268366e7caa0db92332a1955d081908c87016e2c7640c3c5279b7cd",
            url="https://raw.githubusercontent.com/nltk/nltk_data/gh-pages/packages/corpora/conll2000.zip",
        )
    },
)
