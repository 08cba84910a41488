"""A training step of a cell that nobody ships, against our LSTM and against its own Python step by step."""

from functools import partial
from itertools import product

from torch import Tensor

from recurra.bench._compare import compare, timer
from recurra.bench._training import Training
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Target
from recurra.cells import CELLS, Matrix, cell, linear
from recurra.nn import Recurrent

GRID = tuple(product((1, 8, 32, 128), (35, 100), (64, 128, 256)))
QUICK = ((8, 35, 64), (32, 35, 128))


@cell(gates=("f", "g", "o"), states=("h", "c"), bias={"f": 1.0})
def tied(wx: Tensor, h: Tensor, c: Tensor, *, U: Tensor = Matrix("3H", "H")) -> tuple[Tensor, Tensor]:
    """LSTM whose input gate is one minus the forget gate, with a rectified candidate."""
    f, g, o = (wx + linear(h, U)).chunk(3, dim=-1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.relu()
    return o.sigmoid() * c.tanh(), c


def jobs(options: Options) -> list[Job]:
    default = QUICK if options.quick else GRID
    given = (options.batch, options.steps, options.hidden)
    found = [sorted({point[i] for point in default}) for i in range(3)]
    grid = product(*(g or f for g, f in zip(given, found, strict=True))) if any(given) else default
    return [Job(f"own B {b} T {t} H {h}", partial(measure, b, t, h, options)) for b, t, h in grid]


def measure(batch: int, steps: int, hidden: int, options: Options) -> list[Point]:
    training = Training(batch, steps, hidden)
    layer, lstm = (Recurrent(c, hidden, hidden) for c in (tied, CELLS.get("lstm")))
    works = {"recurra's LSTM": training.step(lstm), "its Python": training.python(layer)}
    peers = {name: timer(work, options.least_seconds) for name, work in works.items()}
    rounds = compare(timer(training.step(layer), options.least_seconds), peers, options.rounds_or(3, 7))
    place: Place = {"B": batch, "T": steps, "H": hidden}
    return [Point(f"own cell / {peer}", place, rounds.ratio(peer), peer=peer) for peer in peers]


# At most 1.1 times the LSTM's seconds, and a quarter of the Python's.
TARGETS = (Target("own cell / recurra's LSTM", round(1 / 1.1, 3)), Target("own cell / its Python", 4.0))

own = Benchmark("a cell that nobody ships, against our LSTM and its own Python", jobs, TARGETS)
