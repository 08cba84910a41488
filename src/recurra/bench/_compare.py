"""Peers side by side in one process: round by round in changing order, and the ratios of each round."""

import math
import time
from collections.abc import Callable, Iterable, Mapping

import torch

from recurra.bench.base import Spread

Timer = Callable[[], float]
OURS = "recurra"
# Idle threads of a pool look for work for a while, and take a core from whoever runs next: ONNX Runtime's for tens of
# milliseconds.
REST = 0.15


class Rounds:
    """seconds: of each side, round by round.

    A machine that is busy slows all sides of a round alike, so the ratio of a round means something where the seconds
    do not.
    """

    def __init__(self, seconds: Mapping[str, list[float]]):
        self.seconds = seconds

    def ratio(self, peer: str, factor: float = 1.0) -> Spread:
        """The peer's seconds over ours, times a factor."""
        pairs = zip(self.seconds[peer], self.seconds[OURS], strict=True)
        return Spread.of([factor * theirs / mine for theirs, mine in pairs])

    def spread(self) -> Spread:
        """Our seconds."""
        return Spread.of(self.seconds[OURS])

    def best(self, peers: Iterable[str]) -> str:
        """The peer that we gain least against."""
        return min(peers, key=lambda peer: self.ratio(peer).median)


def compare(ours: Timer, peers: Mapping[str, Timer], rounds: int) -> Rounds:
    """Timers do their work and return the seconds it took; all do the same work. Every round runs all of them."""
    sides = {OURS: ours, **peers}
    for timer in sides.values():
        timer()  # caches, allocators and clocks warm up
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    names = list(sides)
    for i in range(rounds):
        for name in names if i % 2 else reversed(names):
            seconds[name].append(sides[name]())
    return Rounds(seconds)


def clock() -> float:
    """Seconds: with one thread the processor's, in which others on the machine have no part; else those on the wall."""
    return time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()


def timer(work: Callable[[], object], least: float) -> Timer:
    """Seconds of the work, repeated until it takes ``least`` seconds; after a rest, and once for warming up."""
    work()
    start = time.perf_counter()
    work()
    count = max(1, math.ceil(least / (time.perf_counter() - start)))

    def timed() -> float:
        time.sleep(REST)
        work()
        start = time.perf_counter()
        for _ in range(count):
            work()
        return (time.perf_counter() - start) / count

    return timed
