"""A layer of ours and one of torch.nn's with the same weights over the same sequences, each as work to be timed."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

import recurra.nn as ours
from recurra.bench.base import Place
from recurra.errors import UnknownNameError
from recurra.sequences import Ragged

KINDS = ("rnn", "gru", "lstm")
GATES = {"rnn": 1, "gru": 3, "lstm": 4}
Work = Callable[[], object]


def kinds(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The layers wanted, all if none. Raises UnknownNameError."""
    for kind in wanted:
        if kind not in KINDS:
            raise UnknownNameError("cell", kind, KINDS)
    return wanted or KINDS


@dataclass(frozen=True)
class Case:
    """kind: rnn, gru or lstm. ragged: lengths uniform in 1..T instead of all T. train: forward and backward, to input
    and weights, instead of the forward pass without gradients."""

    kind: str
    batch: int
    steps: int
    hidden: int
    ragged: bool = False
    train: bool = True
    layers: int = 1
    both: bool = False

    @property
    def group(self) -> str:
        shape = (" 2 layers" if self.layers == 2 else "") + (" both ways" if self.both else "")
        return f"{'train' if self.train else 'infer'} {'ragged' if self.ragged else 'dense'} {self.kind}{shape}"

    @property
    def place(self) -> Place:
        return {"B": self.batch, "T": self.steps, "H": self.hidden}

    def product_flops(self, steps: int) -> int:
        """Of the matrix products of a training step over so many steps: forward, to the input, to the weights."""
        directions, gates = 1 + self.both, GATES[self.kind] * self.hidden
        inputs = [self.hidden] + [directions * self.hidden] * (self.layers - 1)
        return sum(3 * 2 * steps * directions * gates * (i + self.hidden) for i in inputs)


class Sides:
    """Both layers, in one process and over one set of data."""

    def __init__(self, case: Case):
        self.case = case
        torch.manual_seed(0)
        lengths = torch.randint(1, case.steps + 1, (case.batch,)) if case.ragged else None
        self.lengths = torch.full((case.batch,), case.steps) if lengths is None else lengths
        sizes = {"num_layers": case.layers, "bidirectional": case.both}
        name = case.kind.upper()
        self.theirs: nn.RNNBase = getattr(nn, name)(case.hidden, case.hidden, batch_first=True, **sizes)
        self.mine: ours.RNN | ours.GRU | ours.LSTM = getattr(ours, name)(case.hidden, case.hidden, **sizes)
        self.mine.load_state_dict(self.theirs.state_dict())
        self.padded = torch.randn(case.batch, case.steps, case.hidden, requires_grad=True)

    @cached_property
    def flat(self) -> Ragged:
        flat = Ragged.from_padded(self.padded.detach(), self.lengths)
        return flat.with_values(flat.values.clone().requires_grad_())

    def recurra(self) -> Work:
        return self._work(self.mine, lambda: self.mine(self.flat)[0].values, self.flat.values)

    def torch(self) -> dict[str, Work]:
        """Padded, which computes the padding too, and packed where lengths differ."""
        ways = {"torch padded": lambda: self.theirs(self.padded)[0]}
        if self.case.ragged:
            ways["torch packed"] = lambda: self.theirs(self._packed())[0].data
        return {way: self._work(self.theirs, run, self.padded) for way, run in ways.items()}

    def _packed(self) -> nn.utils.rnn.PackedSequence:
        return pack_padded_sequence(self.padded, self.lengths, batch_first=True, enforce_sorted=False)

    def _work(self, module: nn.Module, run: Callable[[], Tensor], x: Tensor) -> Work:
        def inference() -> object:
            with torch.no_grad():
                return run()

        if not self.case.train:
            return inference
        wanted = [x, *module.parameters()]
        grad = torch.randn_like(inference())  # type: ignore[call-overload]
        return lambda: torch.autograd.grad(run(), wanted, grad)
