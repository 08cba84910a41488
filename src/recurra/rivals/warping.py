"""The nearest series that is known, with time stretched to fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.rivals.base import Rival

Series = NDArray[np.floating[Any]]

# Numbers compared, after which a rival is waited for too long: some tens of seconds.
MOST = 1e9


class Warping(Rival):
    """The answer of the nearest known series by dynamic time warping (Sakoe & Chiba 1978,
    https://doi.org/10.1109/TASSP.1978.1163055), the usual yardstick of series classification.

    A row is an array [T, I]. Channels are taken as they are and warped together, as the archives' own figures for it
    are made (Shokoohi-Yekta et al. 2017, https://doi.org/10.1007/s10618-016-0455-0); there is no limit to the warping,
    and so nothing to be tuned. None for empty series, and where more than a thousand
    million numbers would have to be compared.

    >>> up, down = np.arange(4.0)[:, None], np.arange(4.0)[::-1, None]
    >>> Warping().classify([up, down], np.array([1, 0]), [np.array([[0.0], [0.0], [1.0], [2.0], [3.0]])])
    array([1])
    """

    classifier = "1-nearest neighbour, warped"
    regressor = "1-nearest neighbour, warped"

    def classify(
        self, known: Sequence[Any], labels: NDArray[np.int64], asked: Sequence[Any]
    ) -> NDArray[np.int64] | None:
        nearest = _nearest(known, asked)
        return None if nearest is None else labels[nearest]

    def regress(
        self, known: Sequence[Any], numbers: NDArray[np.float64], asked: Sequence[Any]
    ) -> NDArray[np.float64] | None:
        nearest = _nearest(known, asked)
        return None if nearest is None else numbers[nearest]


def _nearest(known: Sequence[Series], asked: Sequence[Series]) -> NDArray[np.int64] | None:
    """Which known series is nearest to each that is asked, the first of several; None where that takes too long."""
    if not all(map(len, [*known, *asked])):
        return None
    if float(sum(map(len, known))) * sum(map(len, asked)) * known[0].shape[1] > MOST:
        return None
    lengths = np.array(list(map(len, known)))
    padded = np.zeros((len(known), lengths.max(), known[0].shape[1]))
    for row, series in zip(padded, known, strict=True):
        row[: len(series)] = series
    return np.array([distances(series, padded, lengths).argmin() for series in asked])


def distances(one: Series, others: Series, lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """The warped distance of one series to each of the others: the least sum of squared differences along a path.

    one: [n, I]. others: [K, m, I], of which the first ``lengths`` [K] steps count. Returns [K].
    """
    n, m = len(one), others.shape[1]
    found = np.full(len(others), np.inf)
    # Diagonal d holds the pairs of steps i and d - i, in place i + 1; each needs the two diagonals before it alone.
    before = np.full((len(others), n + 1), np.inf)
    last = before.copy()
    before[:, 0] = 0.0
    for d in range(n + m - 1):
        i = np.arange(max(0, d - m + 1), min(n, d + 1))
        cost = ((one[i] - others[:, d - i]) ** 2).sum(-1)
        present = np.full_like(last, np.inf)
        present[:, i + 1] = cost + np.minimum(np.minimum(last[:, i + 1], last[:, i]), before[:, i])
        before, last = last, present
        ends = lengths + n - 2 == d
        found[ends] = present[ends, n]
    return found
