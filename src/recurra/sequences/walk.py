"""Sequences of different lengths gone through together, step by step."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def walk(offsets: Places) -> Iterator[tuple[Places, Places]]:
    """For each step the sequences that have it, and where it lies: both [B], fewer as the short ones end.

    offsets: [B + 1], as in a Ragged.

    >>> for rows, places in walk(np.array([0, 1, 4])):
    ...     print(rows.tolist(), places.tolist())
    [1, 0] [1, 0]
    [1] [2]
    [1] [3]
    """
    lengths = np.diff(offsets)
    order = (-lengths).argsort(kind="stable")
    starts, lengths = offsets[:-1][order], lengths[order]
    active = len(order)
    for step in range(int(lengths[0]) if active else 0):
        while lengths[active - 1] <= step:
            active -= 1
        yield order[:active], starts[:active] + step
