"""Documents by the words they share with a query: what a search engine does without a network."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

# Letters and digits that stand together; characters of scripts that put no space between words stand alone.
_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(f"[{_ALONE}]|[^\\W{_ALONE}]+")


def words(text: str) -> list[str]:
    """The words of a text, without case, punctuation or inflection rules.

    >>> words("Don't panic: 42!")
    ['don', 't', 'panic', '42']
    """
    return _WORD.findall(text.casefold())


class BM25:
    """Okapi BM25 over D documents (Robertson & Zaragoza 2009, https://doi.org/10.1561/1500000019).

        score(q, d) = sum over words t of q:  idf(t) * f(t, d) (k1 + 1) / (f(t, d) + k1 (1 - b + b |d| / mean |d|))
        idf(t) = log(1 + (D - n(t) + 0.5) / (n(t) + 0.5))

    f: how often t is in d. n: how many documents have t. Every word's share is computed when the documents are given,
    so that a query only adds them up.

    >>> bm25 = BM25.fit(["a red car", "a blue car", "the sea"])
    >>> bm25.scores("blue sea").argsort()[::-1].tolist()
    [2, 1, 0]
    """

    def __init__(
        self,
        vocabulary: dict[str, int],
        starts: NDArray[np.int64],
        documents: NDArray[np.int32],
        weights: NDArray[np.float32],
        count: int,
    ):
        """Word w is in ``documents[starts[w] : starts[w + 1]]``, with these weights. count: D."""
        self.vocabulary, self.starts, self.documents, self.weights = vocabulary, starts, documents, weights
        self.count = count

    @classmethod
    def fit(cls, texts: Sequence[str], k1: float = 1.5, b: float = 0.75) -> Self:
        """k1: how much a word's second occurrence still counts. b: how much long documents are held back."""
        vocabulary: dict[str, int] = {}
        ids, places, counts = [], [], []
        lengths = np.zeros(len(texts))
        for place, text in enumerate(texts):
            found = Counter(words(text))
            lengths[place] = found.total()
            for word, count in found.items():
                ids.append(vocabulary.setdefault(word, len(vocabulary)))
                places.append(place)
                counts.append(count)
        entries = np.array(ids, dtype=np.int64)
        order = entries.argsort(kind="stable")
        documents = np.array(places, dtype=np.int32)[order]
        often = np.array(counts, dtype=np.float64)[order]
        having = np.bincount(entries, minlength=len(vocabulary))
        idf = np.log1p((len(texts) - having + 0.5) / (having + 0.5))
        mean = lengths.mean() if lengths.any() else 1.0
        weights = idf[entries[order]] * often * (k1 + 1) / (often + k1 * (1 - b + b * lengths[documents] / mean))
        starts = np.concatenate([[0], having.cumsum()]).astype(np.int64)
        return cls(vocabulary, starts, documents, weights.astype(np.float32), len(texts))

    def scores(self, query: str) -> NDArray[np.float32]:
        """[D], each document's score; 0 where it has none of the query's words."""
        total = np.zeros(self.count, dtype=np.float32)
        for word in words(query):
            if (id := self.vocabulary.get(word)) is not None:
                at = slice(self.starts[id], self.starts[id + 1])
                total[self.documents[at]] += self.weights[at]
        return total

    def ranking(self, query: str) -> NDArray[np.int64]:
        """The documents that have a word of the query, the best first; of equals, the earlier one."""
        scores = self.scores(query)
        return (-scores).argsort(kind="stable")[: int((scores > 0).sum())]
