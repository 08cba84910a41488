"""A training step of every cell and of every option, against the plain cell of as many gates and its own Python.

The plain cells are rnn-tanh, li-gru, gru and lstm, for one to four gates. A ratio of 0.74 means 1.35 times their time.
Cells whose recurrence has no matrix product also run over one long sequence, against the LSTM.

With ``--compile`` each cell is held against its Python under ``torch.compile`` too. That unrolls the loop and takes
about two seconds a step to compile, and the same for every cell and size, so these sequences are shorter.
"""

import warnings
from functools import partial
from itertools import product
from typing import Any

from recurra.bench._compare import compare, timer
from recurra.bench._training import Training, check_compiler
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Target
from recurra.cells import CELLS, Cell
from recurra.nn import Recurrent

BATCH, STEPS, HIDDEN, QUICK = (32,), (100,), (64, 128, 256), (64,)
LONG, UNROLLED = 4096, (20,)
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
    if options.compile:
        check_compiler()
        grid = product(options.batch or BATCH, options.steps or UNROLLED, hidden)
        for size, name in product(grid, options.cells or CELLS.names()):
            label = "{} B {} T {} H {} under torch.compile".format(name, *size)
            found.append(Job(label, partial(measure_compiled, name, *size, options)))
    return found


def measure_compiled(name: str, batch: int, steps: int, hidden: int, options: Options) -> list[Point]:
    """A cell against its Python as torch compiles it. No point, and a warning, where torch does not."""
    from torch._dynamo.exc import TorchDynamoException  # slow to import

    training, layer = Training(batch, steps, hidden), _layer(CELLS.get(name), hidden)
    try:
        peer = timer(training.compiled(layer), options.least_seconds)
    except TorchDynamoException as error:
        reason = str(error).strip().partition("\n")[0]
        warnings.warn(f"{name}: torch.compile does not compile its Python: {reason}", stacklevel=2)
        return []
    rounds = compare(timer(training.step(layer), options.least_seconds), {"compiled": peer}, options.rounds_or(3, 5))
    place: Place = {"cell": name, "B": batch, "T": steps, "H": hidden}
    return [Point("dense / its Python compiled", place, rounds.ratio("compiled"), peer="torch.compile")]


def measure_long(name: str, hidden: int, options: Options) -> list[Point]:
    """A cell without matrix products over one long sequence, against the LSTM."""
    training = Training(1, LONG, hidden)
    layer, lstm = (_layer(CELLS.get(n), hidden) for n in (name, "lstm"))
    peer = timer(training.step(lstm), options.least_seconds)
    rounds = compare(timer(training.step(layer), options.least_seconds), {"lstm": peer}, options.rounds_or(3, 5))
    place: Place = {"cell": name, "B": 1, "T": LONG, "H": hidden}
    return [Point("long / lstm", place, rounds.ratio("lstm"), peer="lstm")]


def measure(
    name: str, more: dict[str, Any], batch: int, steps: int, hidden: int, ragged: bool, options: Options
) -> list[Point]:
    cell = CELLS.get("lstm" if more else name)
    training = Training(batch, steps, hidden, ragged=ragged)
    layer = _layer(cell, hidden, **more)
    plain = _layer(CELLS.get(PLAIN[len(cell.gates)]), hidden)
    works = {"plain": training.step(plain), "Python": training.python(layer)}
    peers = {peer: timer(work, options.least_seconds) for peer, work in works.items()}
    rounds = compare(timer(training.step(layer), options.least_seconds), peers, options.rounds_or(3, 5))
    place: Place = {"cell": name, "B": batch, "T": steps, "H": hidden}
    shape = "ragged" if ragged else "dense"
    groups = {"plain": f"{_kind(cell)} {shape} / plain", "Python": f"{shape} / its Python, step by step"}
    step = Point(f"{shape}, a step", place, rounds.spread(), unit="s")
    return [step, *(Point(groups[peer], place, rounds.ratio(peer), peer=peer) for peer in peers)]


def _layer(cell: Cell, hidden: int, **more: Any) -> Recurrent:
    return Recurrent(cell, hidden, hidden, projection_size=hidden // 2 if cell.projects else 0, **more)


def _kind(cell: Cell) -> str:
    """Cells of two products may take longer."""
    return "two products" if _matrices(cell) > 1 else "cell"


def _matrices(cell: Cell) -> int:
    return sum(len(p.sizes) == 2 for p in cell.params.values())


TARGETS = (
    *(Target(f"cell {shape} / plain", round(1 / 1.35, 2), each=True) for shape in ("dense", "ragged")),
    *(Target(f"two products {shape} / plain", round(1 / 1.6, 2), each=True) for shape in ("dense", "ragged")),
    *(Target(f"{shape} / its Python, step by step", 4.0, each=True) for shape in ("dense", "ragged")),
    Target("dense / its Python compiled", 1.5, each=True),
    Target("long / lstm", 3.0, each=True),
)

cells = Benchmark("every cell and option, against the plain cell of as many gates and its own Python", jobs, TARGETS)
