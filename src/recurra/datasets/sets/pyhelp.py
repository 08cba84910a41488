"""Questions about the methods of Python's strings, lists and sets, answered from their own help texts.

A demonstration of a chat that every Python has. Each method is asked about in three ways to train, in a fourth to
validate and in a fifth to test: all answers are learnt, and what is tested is whether a question put in other words
finds its answer.
"""

import re
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset
from recurra.errors import MissingFileError

_TYPES = (str, list, set)
_QUESTIONS = {
    "train": ("What does {name} do?", "Tell me about {name}.", "what is {name} for"),
    "valid": ("Can you explain {name}?",),
    "test": ("Please tell me what {name} is.",),
}


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
    return {
        split: {
            "text": [question.format(name=name) for name in answers for question in questions],
            "target": [answer for answer in answers.values() for _ in questions],
        }
        for split, questions in _QUESTIONS.items()
    }


PYHELP = Dataset(
    name="pyhelp",
    summary="questions about methods of Python's types, answered from its help texts, which vary with its version",
    size="75 answers, each asked for in 3 ways to train, 1 to validate and 1 to test",
    task="chat",
    licence="PSF-2.0",
    source="docstrings of the Python that runs",
    read=_read,
)
