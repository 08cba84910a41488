"""Spans of steps as tags, one for each step, and tags as spans.

A tag is ``O``, outside any span, or a letter and a kind: ``B-PER``. What the letters say is the scheme:

    iob2    B begins a span, I goes on
    iob1    I is any step of a span; B begins one only right after a span of its own kind
    bioes   B begins, I goes on, E ends, S is a span of one step (Ratinov & Roth 2009); bilou and bmewo
            are the same with other letters

Spans are read by the rules of conlleval, the scorer of the CoNLL shared tasks (Tjong Kim Sang & Buchholz 2000,
https://aclanthology.org/W00-0726), which make sense of any sequence in any scheme.
"""

import re
from collections.abc import Sequence

from recurra.errors import DataError

# kind, first step, the step after the last
Span = tuple[str, int, int]
TagRow = tuple[str, ...]

# The letters of a span's first, inner, last and only step.
SCHEMES = {"iob2": "BIIB", "iob1": "IIII", "bioes": "BIES", "bilou": "BILU", "bmewo": "BMEW"}
CANONICAL = "bioes"
OUTSIDE = "O"

_SAME = {"L": "E", "U": "S", "M": "I", "W": "S"}


def is_span_tag(tag: str) -> bool:
    """Whether a tag is one of a scheme of spans."""
    return tag == OUTSIDE or bool(re.match("[BIESLUMW]-.", tag))


def spans_of(tags: Sequence[str]) -> list[Span]:
    """The spans that conlleval finds in tags of any scheme.

    >>> spans_of(["B-PER", "I-PER", "O", "I-LOC", "B-LOC"])
    [('PER', 0, 2), ('LOC', 3, 4), ('LOC', 4, 5)]
    """
    spans: list[Span] = []
    start, last, last_kind = 0, OUTSIDE, ""
    for i, tag in enumerate((*tags, OUTSIDE)):
        letter, kind = _SAME.get(tag[0], tag[0]), tag[2:]
        outside = letter == OUTSIDE
        begins = not outside and (letter in "BS" or last in "OES" or kind != last_kind)
        if last != OUTSIDE and (begins or outside):
            spans.append((last_kind, start, i))
        if begins:
            start = i
        last, last_kind = letter, kind
    return spans


def tags_of(spans: Sequence[Span], length: int, scheme: str) -> TagRow:
    """Tags for spans that do not overlap, in their order.

    >>> tags_of([("PER", 0, 2), ("LOC", 3, 4)], 4, "bioes")
    ('B-PER', 'E-PER', 'O', 'S-LOC')
    """
    tags = [OUTSIDE] * length
    before: Span = ("", 0, 0)
    for kind, start, end in spans:
        touches = scheme == "iob1" and before[::2] == (kind, start)
        letters = SCHEMES["iob2" if touches else scheme]
        inside = letters[1] * (end - start - 2)
        letters = letters[3] if end - start == 1 else letters[0] + inside + letters[2]
        tags[start:end] = [f"{letter}-{kind}" for letter in letters]
        before = kind, start, end
    return tuple(tags)


def spelled(tag: str, scheme: str) -> str:
    """A canonical tag with another scheme's letter; in iob1 that of a span which touches none of its kind.

    >>> spelled("E-PER", "bilou"), spelled("E-PER", "iob2"), spelled("O", "iob2")
    ('L-PER', 'I-PER', 'O')
    """
    return tag if tag == OUTSIDE else SCHEMES[scheme][SCHEMES[CANONICAL].index(tag[0])] + tag[1:]


def follows(one: str, other: str) -> bool:
    """Whether a canonical tag may come right after another.

    >>> follows("B-PER", "E-PER"), follows("B-PER", "E-LOC"), follows("B-PER", "O"), follows("S-PER", "B-LOC")
    (True, False, False, True)
    """
    opened, goes_on = one[0] in "BI", other[0] in "IE"
    return opened == goes_on and (not opened or one[2:] == other[2:])


def illegal_step(tags: TagRow, scheme: str) -> int | None:
    """The first step whose tag no sequence of this scheme can have there; None where all is well."""
    legal = tags_of(spans_of(tags), len(tags), scheme)
    return next((i for i, (tag, other) in enumerate(zip(tags, legal, strict=True)) if tag != other), None)


def recognise(rows: Sequence[TagRow], numbers: Sequence[object], where: str, choice: str) -> str:
    """The scheme that all rows follow. numbers: what the rows are called. choice: a scheme's name; ``mixed`` for tags
    that need not be legal, of which the spans count alone; anything else: whichever fits.

    Raises DataError for what is no span's tag, and for the first step that is not legal in the scheme, or in that of
    most rows.
    """
    for tags, number in zip(rows, numbers, strict=True):
        for i, tag in enumerate(tags, 1):
            if not is_span_tag(tag):
                raise DataError(
                    f"{where}, row {number}, tag {i}: expected O or a tag of a span such as B-PER, got {tag!r}"
                )
    if choice == "mixed":
        return "iob2"
    wrong: dict[str, list[int]] = {}
    for scheme in [choice] if choice in SCHEMES else SCHEMES:
        wrong[scheme] = [i for i, tags in enumerate(rows) if illegal_step(tags, scheme) is not None]
        if not wrong[scheme]:
            return scheme
    scheme = min(wrong, key=lambda name: len(wrong[name]))
    row = wrong[scheme][0]
    step = illegal_step(rows[row], scheme)
    assert step is not None
    place = f"after {rows[row][step - 1]!r}" if step else "at the beginning"
    raise DataError(
        f"{where}, row {numbers[row]}, tag {step + 1}: {rows[row][step]!r} {place} is not legal in {scheme}"
        f"{'' if choice == scheme else ', which fits most rows'}; correct it, or have all tags read as conlleval reads "
        "them: --set head.scheme=mixed"
    )
