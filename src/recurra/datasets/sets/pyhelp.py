"""Questions about the methods of Python's strings, lists and sets, answered from their own help texts.

A demonstration of a chat that every Python has. Each method is asked about in three ways to train, in a fourth to
validate and in a fifth to test: all answers are learnt, and what is tested is whether a question put in other words
finds its answer. In as many dialogues each is asked about by its bare name, after another method of its type: what
``and pop?`` means is what the turn before it was about. Which two follow each other differs between the parts.
"""

import random
import re
from collections.abc import Iterable, Mapping

from recurra.datasets.base import Columns, Dataset
from recurra.errors import MissingFileError

_TYPES = (str, list, set)
_QUESTIONS = {
    "train": ("What does {name} do?", "Tell me about {name}.", "what is {name} for"),
    "valid": ("Can you explain {name}?",),
    "test": ("Please tell me what {name} is.",),
}
_FOLLOW_UP = "And {method}?"


def _answer(help: str) -> str:
    """The first sentence of a help text that is no signature."""
    paragraphs = (" ".join(part.split()) for part in help.split("\n\n"))
    said = next((part for part in paragraphs if "->" not in part), "")
    return re.split(r"(?<=[.!]) ", said.partition(" -- ")[2] or said)[0]


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    helps = {f"{kind.__name__}.{name}": getattr(kind, name).__doc__ for kind in _TYPES for name in dir(kind)}
    answers = {name: _answer(help or "") for name, help in helps.items() if "._" not in name}
    if not all(answers.values()):
        raise MissingFileError("pyhelp: this Python runs without its help texts (-OO); run it with them")
    draw = random.Random(0)
    before = {name: draw.sample(_others(name, answers), sum(map(len, _QUESTIONS.values()))) for name in answers}
    return {split: _rows(answers, questions, before) for split, questions in _QUESTIONS.items()}


def _others(name: str, answers: Mapping[str, str]) -> list[str]:
    kind = name.partition(".")[0]
    return [other for other in answers if other != name and other.startswith(f"{kind}.")]


def _rows(answers: Mapping[str, str], questions: Iterable[str], before: Mapping[str, list[str]]) -> Columns:
    """Every method in each way alone, and after one that is taken from ``before`` for good."""
    rows = []
    for question in questions:
        for name, answer in answers.items():
            earlier = before[name].pop()
            dialogue, asked = f"{earlier}, {name}", question.format(name=name)
            rows += [
                (asked, answer, asked),  # a dialogue of one turn
                (question.format(name=earlier), answers[earlier], dialogue),
                (_FOLLOW_UP.format(method=name.partition(".")[2]), answer, dialogue),
            ]
    return dict(zip(("text", "target", "dialogue"), zip(*rows, strict=True), strict=True))


PYHELP = Dataset(
    name="pyhelp",
    summary="questions about methods of Python's types, answered from its help texts, which vary with its version",
    size="75 answers, each asked for in 3 ways to train, 1 to validate and 1 to test, alone and as a second turn",
    task="chat",
    licence="PSF-2.0",
    source="docstrings of the Python that runs",
    read=_read,
    # So that a method's name has the same units wherever it stands.
    defaults={"modality.max_vocab": 500},
)
