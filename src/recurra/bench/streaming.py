"""One step of one live sequence, called from Python: ours against torch.nn and ONNX Runtime.

Each side takes x [I], carries its state itself and gives the output [H]; I = H. ``nn.LSTM`` is given a sequence of one
step, ``nn.LSTMCell`` a batch of one, both without gradients; ONNX Runtime carries NumPy arrays. The fastest counts.
"""

from collections.abc import Callable
from functools import partial
from itertools import product

import torch
from torch import Tensor, nn

from recurra.bench import _onnx
from recurra.bench._compare import compare, timer
from recurra.bench._sides import Case, Sides, kinds
from recurra.bench.base import Benchmark, Job, Options, Point, Target
from recurra.streaming import Stream

HIDDEN = (64, 128, 256)
# Steps in a row: states are those of a sequence, and every one of them finite.
STEPS = 64


def jobs(options: Options) -> list[Job]:
    grid = product(kinds(options.cells), options.hidden or HIDDEN)
    return [Job(f"one step {kind} H {hidden}", partial(measure, kind, hidden, options)) for kind, hidden in grid]


def measure(kind: str, hidden: int, options: Options) -> list[Point]:
    sides = Sides(Case(kind, 1, 1, hidden, train=False))
    xs = torch.randn(STEPS, hidden)
    works = {f"nn.{kind.upper()}": _run(_layer(sides.theirs), xs), f"nn.{kind.upper()}Cell": _run(_cell(sides), xs)}
    if _onnx.installed():
        step, arrays = _onnx.stream(sides.theirs), list(xs.numpy())
        works["onnxruntime"] = lambda: [step(x) for x in arrays]
    peers = {name: timer(work, options.least_seconds) for name, work in works.items()}
    ours = timer(_run(Stream(sides.mine).feed, xs), options.least_seconds)
    rounds = compare(ours, peers, options.rounds_or(5, 15))
    best = rounds.best(peers)
    return [Point(f"one step {kind} H {hidden}", {"H": hidden}, rounds.ratio(best), peer=best)]


def _run(step: Callable[[Tensor], Tensor], xs: Tensor) -> Callable[[], object]:
    rows = list(xs)

    def work() -> object:
        with torch.no_grad():
            return [step(x) for x in rows]

    return work


def _layer(layer: nn.RNNBase) -> Callable[[Tensor], Tensor]:
    state = None

    def step(x: Tensor) -> Tensor:
        nonlocal state
        y: Tensor
        y, state = layer(x.view(1, 1, -1), state)
        return y.view(-1)

    return step


def _cell(sides: Sides) -> Callable[[Tensor], Tensor]:
    hidden = sides.case.hidden
    cell = getattr(nn, f"{sides.case.kind.upper()}Cell")(hidden, hidden)
    cell.load_state_dict({name.removesuffix("_l0"): w for name, w in sides.theirs.state_dict().items()})
    state = None

    def step(x: Tensor) -> Tensor:
        nonlocal state
        state = cell(x.view(1, -1), state)
        h: Tensor = state[0] if isinstance(state, tuple) else state
        return h.view(-1)

    return step


TARGETS = tuple(
    Target(f"one step {kind} H {hidden}", value)
    for kind in ("rnn", "gru", "lstm")
    for hidden, value in ((64, 4.0), (256, 1.5))
)

streaming = Benchmark("one step of one sequence from Python, beside torch.nn and ONNX Runtime", jobs, TARGETS)
