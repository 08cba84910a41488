"""Seconds until a cell's kernels are there: never compiled before, and kept from an earlier process.

Every figure is of a fresh process that has imported Recurra, from the call for the cell's programs of a training step,
forward and backward, until both can be called. The first cell of a process also pays for loading the compiler.
"""

import tempfile
import time
from functools import partial

from recurra.bench import _child
from recurra.bench.base import Benchmark, Job, Options, Point, Spread, Target

# In this order; ``own`` is the cell of that benchmark, which nobody ships.
ORDER = ("own", "lstm", "gru", "rnn-tanh")
GROUPS = ("compiled anew", "from the cache")


def jobs(options: Options) -> list[Job]:
    return [Job("compiling", partial(measure, options))]


def measure(options: Options) -> list[Point]:
    found: dict[tuple[str, str], list[float]] = {(group, cell): [] for group in GROUPS for cell in ORDER}
    for _ in range(options.rounds_or(2, 7)):
        with tempfile.TemporaryDirectory() as folder:
            for group in GROUPS:
                seconds = _child.call(__name__, "first_uses", {}, {"RECURRA_CACHE": folder})
                for cell in ORDER:
                    found[group, cell].append(seconds[cell])
    return [
        Point(f"{group}, {'first' if cell == ORDER[0] else 'further'}", {"cell": cell}, Spread.of(s), unit="s")
        for (group, cell), s in found.items()
    ]


def first_uses() -> dict[str, float]:
    """In a process of its own: the seconds of each cell's training programs."""
    import torch

    from recurra.bench.own import tied
    from recurra.cells import CELLS
    from recurra.compile.cpu import kernel

    cells = {name: tied if name == "own" else CELLS.get(name) for name in ORDER}
    seconds = {}
    for name, cell in cells.items():
        start = time.perf_counter()
        for program in ("train", "back"):
            kernel(cell, program, torch.float32)
        seconds[name] = time.perf_counter() - start
    return seconds


TARGETS = (
    Target("compiled anew", 0.5, each=True, at_most=True),
    Target("from the cache", 0.02, each=True, at_most=True),
)

compiling = Benchmark("seconds until a cell is compiled, or taken from the cache", jobs, TARGETS)
