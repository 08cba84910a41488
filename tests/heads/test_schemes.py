"""Spans and their tags in every scheme."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import DataError
from recurra.heads._schemes import (
    CANONICAL,
    SCHEMES,
    Span,
    follows,
    illegal_step,
    is_span_tag,
    recognise,
    spans_of,
    tags_of,
)

KINDS = ("PER", "LOC", "B-LOC")
TAGS = ["O", *(f"{letter}-{kind}" for letter in "BIES" for kind in KINDS)]


@st.composite
def spans_and_length(draw: st.DrawFn) -> tuple[list[Span], int]:
    spans, place = [], 0
    for _ in range(draw(st.integers(0, 6))):
        start = place + draw(st.integers(0, 2))
        place = start + draw(st.integers(1, 4))
        spans.append((draw(st.sampled_from(KINDS)), start, place))
    return spans, place + draw(st.integers(0, 2))


@pytest.mark.parametrize("scheme", SCHEMES)
@given(case=spans_and_length())
def test_spans_survive_every_scheme(scheme: str, case: tuple[list[Span], int]) -> None:
    spans, length = case
    tags = tags_of(spans, length, scheme)
    assert len(tags) == length
    assert all(map(is_span_tag, tags))
    assert spans_of(tags) == spans
    assert illegal_step(tags, scheme) is None
    if spans:
        letters = {tag[0] for tag in tags}
        found = recognise([tags], [1], "rows", "auto")
        assert found == scheme or (
            SCHEMES[found] != SCHEMES[scheme] and letters <= {"O", "B", "I"} | set(SCHEMES[found])
        )
        assert spans_of(tags_of(spans_of(tags), length, found)) == spans


@given(tags=st.lists(st.sampled_from(TAGS)))
def test_legal_are_the_sequences_whose_neighbours_may_be_neighbours(tags: list[str]) -> None:
    legal = all(follows(one, other) for one, other in zip(["O", *tags], [*tags, "O"], strict=True))
    assert (illegal_step(tuple(tags), CANONICAL) is None) == legal


@given(tags=st.lists(st.sampled_from(TAGS)))
def test_spans_of_any_tags_are_in_order_and_cover_what_is_tagged(tags: list[str]) -> None:
    steps = [t for _, start, end in spans_of(tags) for t in range(start, end)]
    assert steps == [t for t, tag in enumerate(tags) if tag != "O"]


@pytest.mark.parametrize(
    ("tags", "spans"),
    [
        ("I-A I-A", [("A", 0, 2)]),
        ("B-A B-A", [("A", 0, 1), ("A", 1, 2)]),
        ("B-A I-B I-A", [("A", 0, 1), ("B", 1, 2), ("A", 2, 3)]),
        ("O I-A O I-A", [("A", 1, 2), ("A", 3, 4)]),
        ("E-A E-A", [("A", 0, 1), ("A", 1, 2)]),
        ("S-A I-A E-A", [("A", 0, 1), ("A", 1, 3)]),
        ("B-A E-A I-A", [("A", 0, 2), ("A", 2, 3)]),
        ("U-A B-A L-A", [("A", 0, 1), ("A", 1, 3)]),
        ("", []),
    ],
)
def test_conlleval_makes_sense_of_what_is_not_legal(tags: str, spans: list[Span]) -> None:
    assert spans_of(tags.split()) == spans


@pytest.mark.parametrize(
    ("row", "scheme", "message"),
    [
        (
            "O O I-A",
            "iob2",
            r"f, row 7, tag 3: 'I-A' after 'O' is not legal in iob2, which fits most rows; .*scheme=mixed",
        ),
        ("I-A B-A", "iob2", "tag 1: 'I-A' at the beginning"),
        ("B-A I-A I-B", "iob2", "tag 3: 'I-B' after 'I-A'"),
        ("S-A B-A O", "bioes", "tag 2: 'B-A' after 'S-A' is not legal in bioes"),
        ("O A", "iob2", "f, row 7, tag 2: expected O or a tag of a span such as B-PER, got 'A'"),
    ],
)
def test_the_first_illegal_step_is_named(row: str, scheme: str, message: str) -> None:
    good = tags_of([("A", 0, 2), ("A", 2, 3)], 4, scheme)
    with pytest.raises(DataError, match=message):
        recognise([good, good, tuple(row.split())], [5, 6, 7], "f", "auto")


def test_a_chosen_scheme_must_fit_and_mixed_always_does() -> None:
    rows = [("I-A", "O", "B-A")]
    assert recognise(rows, [1], "f", "mixed") == "iob2"
    with pytest.raises(DataError, match=r"row 1, tag 1: 'I-A' at the beginning is not legal in iob2; correct it"):
        recognise(rows, [1], "f", "iob2")
    with pytest.raises(DataError, match="expected O or a tag of a span"):
        recognise([("NN",)], [1], "f", "mixed")
