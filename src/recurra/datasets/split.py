"""Training, validation and test parts that share no text.

A score on rows that were trained on says nothing: identical texts (but for case and white space) always stay in
one part.
"""

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import pairwise

from recurra.errors import InputError


def split_rows(
    texts: Sequence[str | tuple[str, ...]],
    shares: dict[str, float],
    *,
    labels: Sequence[str] | None = None,
    sizes: Sequence[int] | None = None,
    seed: int,
) -> dict[str, list[int]]:
    """The rows of each held-out part of ``shares`` and, as ``train``, the rest; every part in the rows' order.

    shares: part to its share of the whole, below 1 together. labels: each label gets its share in every part, and
    stays in ``train`` at least once, also where identical texts have different ones. sizes: what a row counts for
    (characters, for documents); else every row 1. Raises InputError where a part would be empty.

    >>> split_rows(["a", "b", "c", "d", "A "], {"test": 0.4}, seed=1)
    {'train': [1, 2, 3], 'test': [0, 4]}
    """
    sizes = sizes or [1] * len(texts)
    groups: dict[str, list[int]] = defaultdict(list)
    for i, text in enumerate(texts):
        words = text.split() if isinstance(text, str) else text
        groups[" ".join(words).casefold()].append(i)
    strata: dict[str, list[list[int]]] = defaultdict(list)
    for group in groups.values():
        strata[labels[group[0]] if labels is not None else ""].append(group)

    draw = random.Random(seed)
    parts: dict[str, list[int]] = {"train": [], **{part: [] for part in shares}}
    owed = dict.fromkeys(shares, 0.0)
    left = Counter(labels)  # rows of each label that are in train or not yet placed
    for label in sorted(strata):
        stratum = strata[label]
        draw.shuffle(stratum)
        total = sum(sizes[i] for group in stratum for i in group)
        for part, share in shares.items():
            owed[part] += share * total
        parts["train"] += stratum[0]
        for group in stratum[1:]:
            size, neediest = sum(sizes[i] for i in group), max(owed, key=owed.__getitem__)
            own = Counter(labels[i] for i in group) if labels is not None else Counter()
            # What a part is owed is rounded to the nearest whole group; the difference goes to the next label.
            if size <= 2 * owed[neediest] and all(count < left[label] for label, count in own.items()):
                parts[neediest] += group
                left -= own
                owed[neediest] -= size
            else:
                parts["train"] += group
    empty = [part for part, rows in parts.items() if not rows]
    if empty:
        raise InputError(
            f"{len(groups)} different texts are too few to hold out {describe(shares)}; "
            "give more rows, larger shares, or files of your own with --valid and --test"
        )
    return {part: sorted(rows) for part, rows in parts.items()}


def split_text(text: str, shares: dict[str, float]) -> dict[str, str]:
    """One running text cut in two or more: ``train`` is its beginning, the parts of ``shares`` follow in their order.

    A cut is made at the end of a line where there is one near enough. Raises InputError where a part would be empty.

    >>> split_text("one\\ntwo\\nthree\\nfour\\n", {"test": 0.25})
    {'train': 'one\\ntwo\\nthree\\n', 'test': 'four\\n'}
    """
    ends = [len(text)]
    left = 1.0
    for share in reversed(shares.values()):
        left -= share
        target = round(left * len(text))
        # Not so far back that a part loses more than half of what it should have.
        slack = int(min(*shares.values(), 1 - sum(shares.values())) * len(text) / 2)
        line_end = text.rfind("\n", target - slack, target) + 1
        ends.insert(0, line_end or target)
    parts = dict(zip(["train", *shares], [text[a:b] for a, b in pairwise([0, *ends])], strict=True))
    if not all(part.strip() for part in parts.values()):
        raise InputError(
            f"a text of {len(text):,} characters is too short to hold out {describe(shares)}; "
            "give a longer one, or files of your own with --valid and --test"
        )
    return parts


def describe(shares: dict[str, float]) -> str:
    """``10 % for valid and 10 % for test``."""
    return " and ".join(f"{share * 100:.3g} % for {part}" for part, share in shares.items())
