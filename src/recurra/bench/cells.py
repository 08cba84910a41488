"""A training step of every cell and of every option, against the plain cell of as many gates and its own Python.

The plain cells are rnn-tanh, li-gru, gru and lstm, for one to four gates. A ratio of 0.74 means 1.35 times their time.
Cells whose recurrence has no matrix product also run over one long sequence, against the LSTM.
"""

from functools import partial
from itertools import product
from typing import Any

from recurra.bench._compare import compare, timer
from recurra.bench._training import Training
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Target
from recurra.cells import CELLS, Cell
from recurra.compile.torch_kernels import KERNELS
from recurra.nn import Recurrent

BATCH, STEPS, HIDDEN, QUICK = (32,), (100,), (64, 128, 256), (64,)
LONG = 4096
PLAIN = {1: "rnn-tanh", 2: "li-gru", 3: "gru", 4: "lstm"}
# Each with the LSTM, which has them all.
OPTIONS: dict[str, dict[str, Any]] = {
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.1},
    "weight drop": {"weight_drop": 0.5},
    "clipped gradient": {"clip_gradient": 1.0},
    "learned state": {"learned_state": True},
}


def jobs(options: Options) -> list[Job]:
    hidden = options.hidden or (QUICK if options.quick else HIDDEN)
    grid = product(options.batch or BATCH, options.steps or STEPS, hidden)
    chosen: dict[str, dict[str, Any]] = {name: {} for name in options.cells or CELLS.names()}
    chosen |= {} if options.cells else OPTIONS
    kinds = (False,) if options.quick else (False, True)
    found = []
    for (b, t, h), ragged, (name, more) in product(grid, kinds, chosen.items()):
        label = f"{name} B {b} T {t} H {h}{' ragged' if ragged else ''}"
        found.append(Job(label, partial(measure, name, more, b, t, h, ragged, options)))
    scans = [name for name in options.cells or CELLS.names() if not _matrices(CELLS.get(name))]
    for name, h in product(scans, hidden):
        found.append(Job(f"{name} T {LONG} H {h}", partial(measure_long, name, h, options)))
    return found


def measure_long(name: str, hidden: int, options: Options) -> list[Point]:
    """A cell without matrix products over one long sequence, against the LSTM."""
    training = Training(1, LONG, hidden)
    layer, lstm = (Recurrent(CELLS.get(n), hidden, hidden) for n in (name, "lstm"))
    peer = timer(training.step(lstm), options.least_seconds)
    rounds = compare(timer(training.step(layer), options.least_seconds), {"lstm": peer}, options.rounds_or(3, 5))
    place: Place = {"cell": name, "B": 1, "T": LONG, "H": hidden}
    return [Point("long / lstm", place, rounds.ratio("lstm"), peer="lstm")]


def measure(
    name: str, more: dict[str, Any], batch: int, steps: int, hidden: int, ragged: bool, options: Options
) -> list[Point]:
    cell = CELLS.get("lstm" if more else name)
    training = Training(batch, steps, hidden, ragged=ragged)
    projection = hidden // 2 if cell.projects else 0
    layer = Recurrent(cell, hidden, hidden, projection_size=projection, **more)
    plain = Recurrent(CELLS.get(PLAIN[len(cell.gates)]), hidden, hidden)
    works = {"plain": training.step(plain)}
    if cell not in KERNELS:  # else torch's kernels would run, and no Python
        works["Python"] = training.python(layer)
    peers = {peer: timer(work, options.least_seconds) for peer, work in works.items()}
    rounds = compare(timer(training.step(layer), options.least_seconds), peers, options.rounds_or(3, 5))
    place: Place = {"cell": name, "B": batch, "T": steps, "H": hidden}
    shape = "ragged" if ragged else "dense"
    groups = {"plain": f"{_kind(cell)} {shape} / plain", "Python": f"{shape} / its Python"}
    return [Point(groups[peer], place, rounds.ratio(peer), peer=peer) for peer in peers]


def _kind(cell: Cell) -> str:
    """Cells of two products may take longer."""
    return "two products" if _matrices(cell) > 1 else "cell"


def _matrices(cell: Cell) -> int:
    return sum(len(p.sizes) == 2 for p in cell.params.values())


TARGETS = (
    *(Target(f"cell {shape} / plain", round(1 / 1.35, 2), each=True) for shape in ("dense", "ragged")),
    *(Target(f"two products {shape} / plain", round(1 / 1.6, 2), each=True) for shape in ("dense", "ragged")),
    *(Target(f"{shape} / its Python", 4.0, each=True) for shape in ("dense", "ragged")),
    Target("long / lstm", 3.0, each=True),
)

cells = Benchmark("every cell and option, against the plain cell of as many gates and its own Python", jobs, TARGETS)
