"""Several rankings as one."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

# Cormack's constant: how slowly the first ranks lose weight.
RANK_OFFSET = 60


def fuse(rankings: Iterable[Sequence[int] | NDArray[np.int64]], count: int) -> NDArray[np.float64]:
    """Reciprocal-rank fusion (Cormack et al. 2009, https://doi.org/10.1145/1571941.1572114).

    rankings: each the places of documents, best first; what one leaves out gets nothing from it. count: D documents.
    Returns [D] scores, the sum over rankings of 1 / (60 + rank).

    >>> fuse([[2, 0], [0]], 3).argsort()[::-1].tolist()
    [0, 2, 1]
    """
    total = np.zeros(count)
    for ranking in rankings:
        total[np.asarray(ranking, dtype=np.int64)] += 1.0 / (RANK_OFFSET + 1 + np.arange(len(ranking)))
    return total
