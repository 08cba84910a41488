"""Conversations as rows: each turn's prompt is read after the turns before it."""

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

Turn = tuple[str, str]


def conversed(turns: Iterable[Turn], prompt: str) -> str:
    """A prompt after earlier prompts and their replies, a line each.

    >>> conversed([("hi", "hello")], "who are you?")
    'hi\\nhello\\nwho are you?'
    """
    return "\n".join(" ".join(line.split()) for line in (*(line for turn in turns for line in turn), prompt))


def with_earlier(frame: "pd.DataFrame", turns: int) -> "pd.DataFrame":
    """Rows whose ``text`` comes after so many earlier turns at most: those above it of the same ``dialogue``."""
    earlier: dict[str, list[Turn]] = defaultdict(list)
    texts = []
    for dialogue, text, target in zip(frame["dialogue"], frame["text"], frame["target"], strict=True):
        before = earlier[dialogue]
        texts.append(conversed(before[max(0, len(before) - turns) :], text))
        before.append((text, target))
    return frame.assign(text=texts)
