"""What a process holds that feeds a stream: after a thousandth of the steps, over what it holds after all of them.

A stream's state is as large after a million steps as after a thousand, so the ratio is 1. Steps come one by one, or a
thousand at a time. ``resident`` is the memory of the whole process, whoever allocated it; ``Python's`` the blocks that
its objects lie in. Each round is a process of its own.
"""

import gc
import sys
from collections.abc import Callable
from functools import partial
from itertools import product

from recurra.bench import _child, _resident
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Spread, Target

CELLS, HIDDEN, STEPS, QUICK = ("lstm", "sru"), (64,), (1_000_000,), (100_000,)
CHUNK = 1000
WAYS = {"by steps": 1, "by chunks": CHUNK}


def jobs(options: Options) -> list[Job]:
    """Raises InputError where the system does not tell."""
    _resident.check("endless")
    steps = options.steps or (QUICK if options.quick else STEPS)
    grid = product(options.cells or CELLS, options.hidden or HIDDEN, steps, WAYS)
    return [Job(f"{c} H {h}, {n:,} steps {way}", partial(measure, c, h, n, way, options)) for c, h, n, way in grid]


def measure(cell: str, hidden: int, steps: int, way: str, options: Options) -> list[Point]:
    given = {"cell": cell, "hidden": hidden, "steps": steps, "chunk": min(WAYS[way], steps)}
    rounds = [_child.call(__name__, "stream", given) for _ in range(options.rounds_or(1, 3))]
    points = []
    for what, unit in (("resident", "KiB"), ("Python's", "blocks")):
        early, late = ([r[when][what] for r in rounds] for when in ("early", "late"))
        place: Place = {"cell": cell, "H": hidden, "steps": steps, unit: f"{early[-1]:,} and {late[-1]:,}"}
        ratios = Spread.of([a / b for a, b in zip(early, late, strict=True)])
        points.append(Point(f"{what} memory {way}", place, ratios, peer="after a thousandth"))
    return points


def stream(cell: str, hidden: int, steps: int, chunk: int) -> dict[str, dict[str, int]]:
    """What the process holds after a thousandth of the steps (``early``), and after all (``late``)."""
    import torch

    from recurra.cells import CELLS
    from recurra.nn import Recurrent
    from recurra.streaming import Stream

    c = CELLS.get(cell)
    layer = Recurrent(c, hidden, hidden, projection_size=hidden // 2 if c.projects else 0)
    x = torch.randn(chunk, hidden) if chunk > 1 else torch.randn(hidden)
    return held(partial(Stream(layer).feed, x), steps // chunk)


def held(work: Callable[[], object], times: int) -> dict[str, dict[str, int]]:
    """As ``stream``, of any work that is done so many times."""
    few = max(1, times // 1000)
    for _ in range(few):
        work()
    early = _now()
    for _ in range(times - few):
        work()
    return {"early": early, "late": _now()}


def _now() -> dict[str, int]:
    gc.collect()
    return {"resident": _resident.now() // 1024, "Python's": sys.getallocatedblocks()}


endless = Benchmark(
    "memory of a stream after a million steps beside a thousand",
    jobs,
    tuple(Target(f"{what} memory", 0.99, each=True) for what in ("resident", "Python's")),
)
