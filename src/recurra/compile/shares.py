"""Rows dealt out to threads: for every share its rows longest first, and shares that take about as long."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from weakref import WeakKeyDictionary

import numpy as np
import numpy.typing as npt

from recurra.sequences.layout import Layout

# More rows at once make the buffers of a share larger than a core's cache.
MOST_ROWS = 96


@dataclass(frozen=True)
class Shares:
    """bounds: [shares + 1], where each begins among the rows; the rest [B], in the order of the shares: the sequence,
    the address of its first step in the direction of reading, its steps. All int64. direction: 1 or -1."""

    bounds: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    first: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    direction: int

    @property
    def count(self) -> int:
        return len(self.bounds) - 1

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """As compiled code takes them: how many shares, the addresses of the arrays, the direction."""
        arrays = (self.bounds, self.rows, self.first, self.lengths)
        return (self.count, *(a.ctypes.data for a in arrays), self.direction)


_known: WeakKeyDictionary[Layout, dict[tuple[int, bool], Shares]] = WeakKeyDictionary()


def deal(layout: Layout, threads: int, reverse: bool) -> Shares:
    """Deals the rows, longest first, there and back again; once for a batch and all its layers."""
    if layout.equal_length is not None:
        return deal_equal(len(layout), layout.equal_length, threads, reverse)
    kept = _known.setdefault(layout, {})
    key = (threads, reverse)
    if key not in kept:
        kept[key] = _deal(layout.offsets.numpy(), threads, reverse)
    return kept[key]


@lru_cache(maxsize=256)
def deal_equal(rows: int, length: int, threads: int, reverse: bool) -> Shares:
    """The rows of a batch whose sequences all have this length: padded batches come as new layouts that are alike."""
    return _deal(np.arange(rows + 1, dtype=np.int64) * length, threads, reverse)


def _deal(offsets: npt.NDArray[np.int64], threads: int, reverse: bool) -> Shares:
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    rows = len(order)
    wanted = min(rows, threads * max(1, -(-rows // (MOST_ROWS * threads))))
    place = np.arange(rows) % (2 * wanted) if wanted else np.arange(0)
    share = np.where(place < wanted, place, 2 * wanted - 1 - place)
    by_share = order[np.argsort(share, kind="stable")]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(share, minlength=wanted))]).astype(np.int64)
    first = (offsets[1:] - 1 if reverse else offsets[:-1])[by_share]
    return Shares(
        bounds, by_share.astype(np.int64), np.ascontiguousarray(first), lengths[by_share], -1 if reverse else 1
    )
