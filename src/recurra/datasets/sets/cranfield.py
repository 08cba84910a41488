"""Abstracts on aerodynamics, questions about them, and which abstracts answer which question.

The judgements are the test and nothing else. To learn from there are the abstracts themselves: a title belongs to its
abstract, and a sentence to the abstract it was taken out of (the inverse cloze task, Lee et al. 2019,
https://arxiv.org/abs/1906.00300). One title in ten is held out to choose the best weights by.

A row without a ``text`` is a document that is searched and answers none of the split's questions. Judgements of 1 to 4
count as relevant; the others, -1, name documents of no interest. Two of the 1,400 documents are empty and left out,
with the one judgement of 1 to 4 that names one of them.
"""

import re
from collections.abc import Iterable, Mapping

from recurra.datasets.base import Columns, Dataset, File

_URL = "https://raw.githubusercontent.com/olivernn/cranfield/8f40ee931b7e11af05b9e3c7a364a15e0ebccc4e/data/cran/"
_HELD_OUT = 10
_SHORTEST = 5

Pair = tuple[str, str]


def _records(text: str) -> list[dict[str, str]]:
    """Records that begin with ``.I number``, by their fields' letters, with single spaces."""
    parts = re.split(r"^\.I .*\n", text.replace("\r\n", "\n"), flags=re.MULTILINE)[1:]
    fields = [re.split(r"^\.([TABW]) *\n", part, flags=re.MULTILINE)[1:] for part in parts]
    return [{key: " ".join(value.split()) for key, value in zip(f[::2], f[1::2], strict=True)} for f in fields]


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    records = _records(files["documents"].decode())
    documents = {i: record["W"] for i, record in enumerate(records, 1) if record["W"]}
    bodies = {i: _body(records[i - 1]["T"], text) for i, text in documents.items()}
    titles = {i: (records[i - 1]["T"], body) for i, body in bodies.items() if body != records[i - 1]["T"]}
    held_out = {i: pair for i, pair in titles.items() if i % _HELD_OUT == 0}
    learned = [pair for i, pair in titles.items() if i not in held_out]
    sentences = [pair for text in bodies.values() for pair in _sentences(text)]
    questions = [record["W"] for record in _records(files["questions"].decode())]
    judged = [tuple(map(int, line.split())) for line in files["judgements"].decode().splitlines()]
    answers = [(questions[question - 1], documents[i]) for question, i, grade in judged if grade > 0 and i in documents]
    return {
        "train": _columns([*learned, *sentences]),
        "valid": _columns(_with_others(held_out.values(), bodies.values())),
        "test": _columns(_with_others(answers, documents.values())),
    }


def _body(title: str, text: str) -> str:
    """The text without its title, with which it mostly begins, once or twice: a pair must not share it."""
    return re.sub(rf"^(?:{re.escape(title)} ?)+", "", text) or text


def _sentences(text: str) -> list[Pair]:
    """Each sentence of some length with all the others."""
    parts = re.split(r"(?<= \.) ", text)
    if len(parts) < 2:
        return []
    pairs = [(part, " ".join([*parts[:i], *parts[i + 1 :]])) for i, part in enumerate(parts)]
    return [pair for pair in pairs if len(pair[0].split()) > _SHORTEST]


def _with_others(pairs: Iterable[Pair], documents: Iterable[str]) -> list[Pair]:
    """The pairs, then the documents in none of them."""
    pairs = list(pairs)
    paired = {document for _, document in pairs}
    return [*pairs, *(("", document) for document in documents if document not in paired)]


def _columns(pairs: list[Pair]) -> Columns:
    return {"text": [text for text, _ in pairs], "other": [other for _, other in pairs]}


CRANFIELD = Dataset(
    name="cranfield",
    summary="abstracts on aerodynamics, and questions with the abstracts that answer them",
    size="1,398 abstracts, 225 questions (the test), 1,611 answers",
    task="search",
    licence="not stated; for research",
    source="Cleverdon 1967, https://doi.org/10.1108/eb050097",
    read=_read,
    files={
        "documents": File(
            path="cranfield/cran.all.1400.xz",
            hash="sha256:0feb1a64cd60d0d294b6a8c0864b9476dda2158d9964e7285c6b609d32d1ea7a",
            url=_URL + "cran.all.1400",
        ),
        "questions": File(
            path="cranfield/cran.qry.xz",
            hash="sha256:99578ceb88941ef89c14faf7c63c23776a376d8fba319b990f01d0c601d8b03f",
            url=_URL + "cran.qry",
        ),
        "judgements": File(
            path="cranfield/cranqrel.xz",
            hash="sha256:92e54b58dac0b980152178f350d892fae66c8a239b8a11715b835fb8d2f6bc0e",
            url=_URL + "cranqrel",
        ),
    },
)
