"""Peers side by side in one process: alternated rounds, the median ratio and its spread."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """peer's seconds / ours: above 1 we are faster."""

    median: float
    low: float
    high: float
    rounds: int

    def __str__(self) -> str:
        return f"{self.median:.3f} ({self.low:.3f} to {self.high:.3f} over {self.rounds} rounds)"


def compare(ours: Callable[[], float], peer: Callable[[], float], rounds: int) -> Ratio:
    """ours, peer: do the same work and return the seconds it took. Each round runs both, in changing order.

    A machine that is busy slows both sides of a round alike, so the ratio of a round means something where the
    seconds do not.
    """
    ours(), peer()  # caches, allocators and clocks warm up
    ratios = []
    for i in range(rounds):
        if i % 2:
            mine, other = ours(), peer()
        else:
            other, mine = peer(), ours()
        ratios.append(other / mine)
    return Ratio(statistics.median(ratios), min(ratios), max(ratios), rounds)
