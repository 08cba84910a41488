"""The memory that a training step needs beyond its weights and its input, ours and torch's.

Each side runs in fresh processes. After a step at a tiny size, which loads and compiles what there is to, freed memory
is handed back to the system and the high-water mark of the resident set is lowered to the present. Then comes one
step: the mark less where it began is everything that the step held at once, whoever allocated it.
"""

from dataclasses import asdict
from functools import partial

from recurra.bench import _child, _resident
from recurra.bench._sides import Case, Sides, kinds
from recurra.bench.base import Benchmark, Job, Options, Point, Spread, Target
from recurra.errors import InputError

GRID = ((32, 100, 128), (32, 100, 256), (128, 100, 256))
SIDES = ("recurra", "torch padded")


def jobs(options: Options) -> list[Job]:
    """Raises InputError where the system does not tell."""
    _resident.check("memory")
    grid = GRID[1:2] if options.quick else GRID
    if options.batch or options.steps or options.hidden:
        sizes = zip((options.batch, options.steps, options.hidden), GRID[1], strict=True)
        grid = (tuple(given[0] if given else default for given, default in sizes),)  # type: ignore[assignment]
    cases = [Case(kind, *size) for kind in kinds(options.cells) for size in grid]
    return [Job(f"memory {c.kind} B {c.batch} T {c.steps} H {c.hidden}", partial(measure, c, options)) for c in cases]


def measure(case: Case, options: Options) -> list[Point]:
    ratios = []
    for i in range(options.rounds_or(1, 3)):
        held = {}
        for side in SIDES if i % 2 else reversed(SIDES):
            held[side] = _child.call(__name__, "step_bytes", {"side": side, **asdict(case)})
        if not all(held.values()):
            raise InputError(
                f"memory: expected a step that holds more than a page of memory, got {case.place}; enlarge it"
            )
        ratios.append(held["torch padded"] / held["recurra"])
    return [Point(f"memory {case.kind}", case.place, Spread.of(ratios), peer="torch padded")]


def step_bytes(side: str, **case: int | str) -> int:
    """In a process of its own: what one training step holds at its most."""
    tiny = Case(**{**case, "batch": 2, "steps": 2})  # type: ignore[arg-type]
    for c in (tiny, Case(**case)):  # type: ignore[arg-type]
        sides = Sides(c)
        work = sides.recurra() if side == "recurra" else sides.torch()[side]
        if c is tiny:
            work()
    before, highest = _resident.around(work)
    return highest - before


memory = Benchmark("peak memory of a training step beside torch's", jobs, (Target("memory", 1.0, each=True),))
