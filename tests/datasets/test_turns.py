"""Conversations as rows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.datasets import load
from recurra.datasets.load import DataConfig
from recurra.datasets.tables import frame_of
from recurra.datasets.turns import conversed, with_earlier
from recurra.errors import InputError

ROWS = {
    "text": ["hi", "good day", "who?", "and you?", "bye"],
    "target": ["hello", "day", "me", "them", "so long"],
    "dialogue": ["a", "b", "a", "b", "a"],
}


def test_a_prompt_is_read_after_the_turns_of_its_own_dialogue() -> None:
    found = list(with_earlier(frame_of(ROWS), 9)["text"])
    assert found == [
        "hi",
        "good day",
        "hi\nhello\nwho?",
        "good day\nday\nand you?",
        "hi\nhello\nwho?\nme\nbye",
    ]


@pytest.mark.parametrize(("turns", "last"), [(0, "bye"), (1, "who?\nme\nbye"), (2, "hi\nhello\nwho?\nme\nbye")])
def test_it_is_read_after_so_many_at_most(turns: int, last: str) -> None:
    assert with_earlier(frame_of(ROWS), turns)["text"].iloc[-1] == last


@given(st.lists(st.tuples(st.text(), st.text()), max_size=4), st.text())
def test_every_prompt_and_every_reply_is_one_line(turns: list[tuple[str, str]], prompt: str) -> None:
    assert conversed(turns, prompt).count("\n") == 2 * len(turns)


def test_a_dialogue_is_never_in_two_parts() -> None:
    rows = [(f"say {i}", f"said {i}", f"talk {i // 4}") for i in range(80)]
    frame = frame_of(dict(zip(("text", "target", "dialogue"), zip(*rows, strict=True), strict=True)))
    splits = load(DataConfig(turns=1), ("text", "target"), frame=frame, optional=("dialogue",))
    parts = [set(part["dialogue"]) for part in (splits.train, splits.valid, splits.test)]
    assert all(parts)
    assert len(set.union(*parts)) == sum(map(len, parts)) == 20
    assert splits.train["text"].str.count("\n").max() == 2


def test_turns_are_counted_from_none() -> None:
    with pytest.raises(InputError, match=r"data\.turns: expected 0 or more, got -1"):
        DataConfig(turns=-1)
