"""A layer beside torch.nn's: a training step (forward, backward to input and weights) and inference.

    python benchmarks/layers.py [--quick] [--cells lstm,gru,rnn] [--modes train,infer,own] [--rounds N] [--json]

Both run in this process, round by round in changing order. The peer is torch.nn padded or packed, whichever was
faster. Ratios are the peer's seconds over ours: above 1 we are faster. ``lengths``: all of T steps, or drawn uniformly
from 1 to T. Ours takes a Ragged and never sees padding; torch's padded run computes the padding.

``own`` is a training step of a cell that nobody ships, against our LSTM and against its own Python step by step.
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra.nn as ours
from _compare import Ratio, compare
from recurra.cells import CELLS, Matrix, cell, linear
from recurra.compile import reference
from recurra.sequences import Ragged

KINDS = ("rnn", "gru", "lstm")


def seconds(work: Callable[[], object], least: float) -> Callable[[], float]:
    """A timer of the work, repeated until it takes long enough for the clock."""
    work()
    start = time.perf_counter()
    work()
    count = max(1, math.ceil(least / (time.perf_counter() - start)))

    def timed() -> float:
        start = time.perf_counter()
        for _ in range(count):
            work()
        return (time.perf_counter() - start) / count

    return timed


def step(layer: nn.Module, run: Callable[[], Tensor], x: Tensor, train: bool, grad: Tensor) -> Callable[[], object]:
    wanted = [x, *layer.parameters()]

    def training() -> object:
        return torch.autograd.grad(run(), wanted, grad)

    def inference() -> object:
        with torch.no_grad():
            return run()

    return training if train else inference


def point(
    kind: str, batch: int, steps: int, hidden: int, ragged: bool, train: bool, rounds: int, least: float
) -> tuple[Ratio, str]:
    """The ratio at one point of the grid, and which of torch's two ways it is against."""
    torch.manual_seed(0)
    lengths = torch.randint(1, steps + 1, (batch,)) if ragged else torch.full((batch,), steps)
    name = kind.upper()
    mine, theirs = getattr(ours, name)(hidden, hidden), getattr(nn, name)(hidden, hidden, batch_first=True)
    mine.load_state_dict(theirs.state_dict())
    padded = torch.randn(batch, steps, hidden)
    flat = Ragged.from_padded(padded, lengths)
    values = flat.values.clone().requires_grad_()
    padded.requires_grad_()
    x = flat.with_values(values)
    packed = pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False)
    peers = {"padded": (lambda: theirs(padded)[0], torch.randn(batch, steps, hidden))}
    if ragged:
        peers["packed"] = (
            lambda: theirs(pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False))[0].data,
            torch.randn(packed.data.shape),
        )
    timed = seconds(step(mine, lambda: mine(x)[0].values, values, train, torch.randn(values.shape[0], hidden)), least)
    ratios = {
        way: compare(timed, seconds(step(theirs, run, padded, train, grad), least), rounds)
        for way, (run, grad) in peers.items()
    }
    best = min(ratios, key=lambda way: ratios[way].median)
    return ratios[best], best


@cell(gates=("f", "g", "o"), states=("h", "c"), bias={"f": 1.0})
def tied(wx: Tensor, h: Tensor, c: Tensor, *, U: Tensor = Matrix("3H", "H")) -> tuple[Tensor, Tensor]:
    """LSTM whose input gate is one minus the forget gate, with a rectified candidate."""
    f, g, o = (wx + linear(h, U)).chunk(3, dim=-1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.relu()
    return o.sigmoid() * c.tanh(), c


def own(batch: int, steps: int, hidden: int, rounds: int, least: float) -> dict[str, Ratio]:
    """A training step of ``tied``: the seconds of our LSTM, and of its Python step by step, over its own."""
    values = torch.randn(batch * steps, hidden, requires_grad=True)
    x = Ragged(values.detach(), torch.arange(batch + 1) * steps).with_values(values)
    grad = torch.randn(batch * steps, hidden)
    layer, lstm = (ours.Recurrent(c, hidden, hidden) for c in (tied, CELLS.get("lstm")))

    def step_by_step() -> Tensor:
        initial = tuple(torch.zeros(batch, hidden) for _ in tied.states)
        params = dict(layer.params)
        return reference.unroll(tied, x, layer.weight_ih, layer.bias_ih, params, initial, False)[0].values

    timed = seconds(step(layer, lambda: layer(x)[0].values, values, True, grad), least)
    peers = {"lstm": (lstm, lambda: lstm(x)[0].values), "python": (layer, step_by_step)}
    return {
        name: compare(timed, seconds(step(module, run, values, True, grad), least), rounds)
        for name, (module, run) in peers.items()
    }


def mean(ratios: list[float]) -> float:
    """The geometric mean."""
    return math.exp(sum(math.log(r) for r in ratios) / len(ratios))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a few points, few rounds")
    parser.add_argument("--cells", default=",".join(KINDS), help="among rnn, gru, lstm")
    parser.add_argument("--modes", default="train,infer,own", help="among train, infer, own")
    parser.add_argument("--rounds", type=int, default=0, help="at each point; 0: 3 if quick, else 7")
    parser.add_argument("--threads", type=int, default=0, help="torch's threads; 0: as torch has them")
    parser.add_argument("--json", action="store_true", help="one line of JSON to standard output at the end")
    options = parser.parse_args()
    if options.threads:
        torch.set_num_threads(options.threads)
    grid = (
        [(8, 35, 64), (32, 100, 128)]
        if options.quick
        else itertools.product((1, 8, 32, 128), (35, 100), (64, 128, 256))
    )
    grid = list(grid)
    rounds, least = options.rounds or (3 if options.quick else 7), 0.01 if options.quick else 0.03
    found = []
    modes = options.modes.split(",")
    if "own" in modes:
        for batch, steps, hidden in grid:
            for peer, ratio in own(batch, steps, hidden, rounds, least).items():
                if not options.json:
                    print(f"own  tied B {batch:<3} T {steps:<3} H {hidden:<3} {ratio} against {peer}", flush=True)
                found.append(
                    {"mode": "own", "cell": "tied", "B": batch, "T": steps, "H": hidden, "peer": peer}
                    | {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "rounds": ratio.rounds}
                )
        modes.remove("own")
    for mode, kind, ragged in itertools.product(modes, options.cells.split(","), (False, True)):
        medians = []
        for batch, steps, hidden in grid:
            ratio, peer = point(kind, batch, steps, hidden, ragged, mode == "train", rounds, least)
            shape = f"B {batch:<3} T {steps:<3} H {hidden:<3}"
            if not options.json:
                print(f"{mode} {kind:<4} {'ragged' if ragged else 'dense '} {shape} {ratio} against {peer}", flush=True)
            medians.append(ratio.median)
            found.append(
                {"mode": mode, "cell": kind, "ragged": ragged, "B": batch, "T": steps, "H": hidden, "peer": peer}
                | {"ratio": ratio.median, "low": ratio.low, "high": ratio.high, "rounds": ratio.rounds}
            )
        if not options.json:
            print(
                f"{mode} {kind:<4} {'ragged' if ragged else 'dense '} geometric mean {mean(medians):.2f}\n", flush=True
            )
    if options.json:
        print(json.dumps({"threads": torch.get_num_threads(), "torch": torch.__version__, "points": found}))


if __name__ == "__main__":
    main()
