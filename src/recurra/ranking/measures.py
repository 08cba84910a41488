"""How good rankings are, over any number of queries."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

RECALLS = (1, 10, 100)


def ranks(scores: NDArray[np.floating], relevant: Sequence[int] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The places, from 1 and rising, of the relevant documents among all.

    scores: [D], more is better; of equals, the earlier document comes first. relevant: their places in ``scores``.

    >>> ranks(np.array([0.1, 0.9, 0.5]), [0, 1]).tolist()
    [1, 3]
    """
    order = (-scores).argsort(kind="stable")
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(1, len(order) + 1)
    return np.sort(place[np.asarray(relevant, dtype=np.int64)])


class Ranked:
    """Sums over queries; a query counts alike whether it has one relevant document or fifty.

    >>> measure = Ranked()
    >>> measure.add(np.array([1, 4]))
    >>> measure.metrics()
    {'map': 0.75, 'mrr': 1.0, 'recall_1': 0.5, 'recall_10': 1.0, 'recall_100': 1.0}
    """

    def __init__(self) -> None:
        self.sums = np.zeros(2 + len(RECALLS))
        self.queries = 0

    def add(self, places: NDArray[np.int64]) -> None:
        """places: the ranks, rising, of a query's relevant documents, of which there is at least one."""
        precision = (np.arange(1, len(places) + 1) / places).mean()
        self.sums += [precision, 1 / places[0], *((places <= k).mean() for k in RECALLS)]
        self.queries += 1

    def metrics(self) -> dict[str, float]:
        """Mean average precision, mean reciprocal rank of the first hit, share found in the first k; 0 for no query."""
        names = ("map", "mrr", *(f"recall_{k}" for k in RECALLS))
        return dict(zip(names, (self.sums / max(1, self.queries)).tolist(), strict=True))
