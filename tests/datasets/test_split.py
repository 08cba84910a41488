"""Parts that share no text, hold every label, and are what was asked for."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.datasets.split import split_rows, split_text
from recurra.errors import InputError

TENTHS = {"valid": 0.1, "test": 0.1}


def key(text: str) -> str:
    return " ".join(text.casefold().split())


@given(
    texts=st.lists(st.sampled_from([f"{word}{end}" for word in "abcdefghijklmnop" for end in ("", " ", "X", "x")])),
    seed=st.integers(0, 5),
    labelled=st.booleans(),
)
def test_no_text_is_in_two_parts_and_no_row_is_lost(texts: list[str], seed: int, labelled: bool) -> None:
    labels = [str(len(text) % 2) for text in texts] if labelled else None
    try:
        parts = split_rows(texts, {"valid": 0.2, "test": 0.2}, labels=labels, seed=seed)
    except InputError:
        assert len({key(text) for text in texts}) < 10
        return
    assert sorted(i for rows in parts.values() for i in rows) == list(range(len(texts)))
    for rows in parts.values():
        assert rows == sorted(rows)
        others = {key(texts[i]) for other in parts.values() if other is not rows for i in other}
        assert others.isdisjoint(key(texts[i]) for i in rows)


@given(counts=st.lists(st.integers(1, 40), min_size=1, max_size=8), seed=st.integers(0, 5))
def test_every_label_has_its_share(counts: list[int], seed: int) -> None:
    labels = [f"label {i}" for i, count in enumerate(counts) for _ in range(count)]
    texts = [f"text {i}" for i in range(len(labels))]
    if len(labels) < 20 + len(counts):
        return
    parts = split_rows(texts, TENTHS, labels=labels, seed=seed)
    assert {labels[i] for i in parts["train"]} == set(labels)
    for part in TENTHS:
        assert abs(len(parts[part]) - len(labels) / 10) <= 1 + counts.count(1) / 10
        held_out = Counter(labels[i] for i in parts[part])
        assert all(abs(held_out[f"label {i}"] - count / 10) < 2 for i, count in enumerate(counts))


def test_the_seed_decides() -> None:
    texts = [f"text {i}" for i in range(100)]
    one = split_rows(texts, TENTHS, seed=1)
    assert one == split_rows(texts, TENTHS, seed=1)
    assert one != split_rows(texts, TENTHS, seed=2)
    assert [len(one[part]) for part in ("train", "valid", "test")] == [80, 10, 10]


def test_a_text_repeated_too_often_for_a_part_is_trained_on() -> None:
    texts = ["same"] * 50 + [f"text {i}" for i in range(50)]
    parts = split_rows(texts, TENTHS, seed=0)
    assert set(range(50)) <= set(parts["train"])
    assert len(parts["valid"]) == len(parts["test"]) == 10


def test_documents_count_by_their_size() -> None:
    texts = [f"document {i}" for i in range(40)]
    sizes = [1000 if i % 2 else 10 for i in range(40)]
    parts = split_rows(texts, {"test": 0.25}, sizes=sizes, seed=0)
    assert abs(sum(sizes[i] for i in parts["test"]) / sum(sizes) - 0.25) < 0.05


@pytest.mark.parametrize("texts", [[], ["one"], ["same", "Same ", " same"] * 10, ["a", "b", "c", "d"]])
def test_too_few_different_texts_are_refused(texts: list[str]) -> None:
    with pytest.raises(InputError, match=r"too few to hold out 10 % for valid and 10 % for test.*--valid and --test"):
        split_rows(texts, TENTHS, seed=0)


@given(
    lines=st.lists(st.integers(1, 60), min_size=30, max_size=200),
    shares=st.sampled_from([{"test": 0.1}, TENTHS, {"valid": 0.05, "test": 0.05}, {"valid": 0.3, "test": 0.6}]),
)
def test_a_text_is_cut_at_line_ends(lines: list[int], shares: dict[str, float]) -> None:
    text = "".join("x" * width + "\n" for width in lines)
    parts = split_text(text, shares)
    assert "".join(parts.values()) == text
    assert list(parts) == ["train", *shares]
    for part, share in shares.items():
        assert abs(len(parts[part]) - share * len(text)) <= 61 + share * len(text) / 2
    if min(*shares.values(), 1 - sum(shares.values())) * len(text) / 2 > 62:
        assert all(content.endswith("\n") for content in parts.values())


def test_a_text_without_lines_is_cut_where_the_share_is() -> None:
    assert {part: len(content) for part, content in split_text("x" * 1000, TENTHS).items()} == {
        "train": 800,
        "valid": 100,
        "test": 100,
    }


@pytest.mark.parametrize("text", ["", "abc", "word" + "\n" * 100])
def test_a_text_that_is_too_short_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=f"a text of {len(text)} characters is too short"):
        split_text(text, TENTHS)
