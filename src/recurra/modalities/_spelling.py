"""How words are written: their characters, and a class of each word's letters."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from recurra.modalities._units import Chars

# Of a longer word the beginning and the end are read, half of this each.
LONGEST = 24
# Small, Capital, CAPITALS, miXed, digits, digits with letters, marks alone, letters that are neither small nor capital.
CLASSES = 8


class Spelling:
    """The characters that words are written with: ids from 2 on, 0 is after the end, 1 any other character."""

    def __init__(self, alphabet: list[str]):
        self.alphabet = Chars(alphabet)

    @classmethod
    def fit(cls, words: Iterable[str]) -> Self:
        """A character that only one word has is unknown, so that it is learnt what that means."""
        counts = Counter(chain.from_iterable(map(set, words)))
        return cls(sorted(character for character, count in counts.items() if count > 1))

    def features(self, words: Sequence[str]) -> NDArray[np.int32]:
        """Each word's class, then its characters: [n, 1 + LONGEST]."""
        cut = [w if len(w) <= LONGEST else w[: LONGEST // 2] + w[-LONGEST // 2 :] for w in words]
        ids, lengths = self.alphabet.encode(cut)
        found = np.zeros((len(words), 1 + LONGEST), np.int32)
        found[:, 0] = [letters(word) for word in words]
        place = np.arange(len(ids)) - np.repeat(lengths.cumsum() - lengths, lengths)
        found[np.repeat(np.arange(len(words)), lengths), 1 + place] = ids
        return found


def letters(word: str) -> int:
    """The class of a word's letters, 0 up to CLASSES - 1.

    >>> [letters(word) for word in ("small", "Capital", "USA", "iPhone", "1,024", "B-52", "...", "中文")]
    [0, 1, 2, 3, 4, 5, 6, 7]
    """
    alphabetic = [c for c in word if c.isalpha()]
    if any(c.isdigit() for c in word):
        return 5 if alphabetic else 4
    if not alphabetic:
        return 6
    if not any(c.isupper() for c in alphabetic):
        return 0 if any(c.islower() for c in alphabetic) else 7
    if word[0].isupper() and not any(c.isupper() for c in alphabetic[1:]):
        return 1
    return 2 if all(c.isupper() for c in alphabetic) else 3
