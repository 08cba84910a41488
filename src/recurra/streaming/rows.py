"""What streams are made of: a network's layers with copies of their weights, and the states of so many rows."""

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from recurra.cells.base import Cell
from recurra.compile import Affine, Recurrence, Residual, stepper
from recurra.errors import InputError, ShapeError
from recurra.heads.anomaly import Anomaly
from recurra.heads.next import Next
from recurra.model import Model
from recurra.nn import GRU, LSTM, RNN, Bidirectional, Recurrent, Stack
from recurra.nn.checks import check_like
from recurra.sequences import State

Source = Recurrent | Stack | RNN | LSTM | GRU | Model


class Rows:
    """A network and its state in ``capacity`` rows, each at its beginning at first.

    step: takes rows on (``compile.Stepper``). states, first: each, and a row of it at a beginning, as ``Kept`` takes
    them. table: [V, I], each token's input, of a language model. input_size: I.
    """

    def __init__(self, source: Source, capacity: int):
        self.table: Tensor | None = None
        self.states: dict[str, Tensor] = {}
        self.first: dict[str, Tensor] = {}
        # What is made here outlives the modes it may be made in.
        with torch.inference_mode(False), torch.no_grad(), torch.autocast("cpu", enabled=False):
            layers = list(self._layers(source, "", capacity))
            self.step = stepper(layers)
        self.weight = layers[0].tensors[0]
        self.input_size = self.weight.shape[1]

    def inputs(self, x: Tensor, shape: tuple[int | str, ...]) -> Tensor:
        """What the layers read, contiguous. x: [*shape, I], or ids [*shape] for a language model. Raises ShapeError."""
        if self.table is None:
            check_like("x", x, (*shape, self.input_size), self.weight)
            # In autocast ``check_like`` takes any dtype.
            return x.detach().to(self.weight.dtype).contiguous()
        if x.ndim != len(shape) or x.dtype != torch.int64 or (len(x) != shape[0] and shape != ("T",)):
            raise ShapeError("x", f"token ids [{', '.join(map(str, shape))}] torch.int64", f"{list(x.shape)} {x.dtype}")
        if x.numel():
            self.check_token(int(x.min()))
            self.check_token(int(x.max()))
        return self.table[x.to(self.table.device)]

    def check_token(self, token: int) -> None:
        """Raises InputError for an id that no token of this language model has."""
        assert self.table is not None
        if not 0 <= token < len(self.table):
            raise InputError(f"x: expected token ids from 0 to {len(self.table) - 1}, got {token}")

    def _layers(self, source: nn.Module, prefix: str, capacity: int) -> Iterator[Affine | Recurrence | Residual]:
        """The layers of a network, from the lowest up; their states are called as in the network's own ``State``."""
        match source:
            case Recurrent(reverse=False):
                own, start = source.cell_weights(training=False), source.initial_state(1)
                weight, bias = source.weight_ih, source.bias_ih
                yield self._recurrence(source.serving_cell, weight, bias, own, start, prefix, capacity)
            case Stack():
                for i, layer in enumerate(source.layers):
                    parts = tuple(self._layers(layer, f"{prefix}{i}.", capacity))
                    yield from [Residual(parts)] if source.adds(i) else parts
            case RNN(bidirectional=False) | LSTM(bidirectional=False) | GRU(bidirectional=False):
                sizes = source.cell.sizes(source.hidden_size, source.proj_size)
                for i in range(source.num_layers):
                    weights = source.cell_weights(i)
                    zeros = State({name: weights[0].new_zeros(1, size) for name, size in sizes.items()})
                    yield self._recurrence(source.cell, *weights, zeros, f"{prefix}{i}.", capacity)
            case Model(head=Next() as head, encoder=nn.Embedding() as encoder):
                self.table = _copy(encoder.weight)
                yield from self._layers(source.trunk, prefix, capacity)
                for linear in (head.narrow, head.output):
                    if isinstance(linear, nn.Linear):
                        yield Affine(_copy(linear.weight), _copy(linear.bias))
            case Model(head=Anomaly() as scorer, encoder=reader):
                if isinstance(reader, nn.Linear):
                    yield Affine(_copy(reader.weight), _copy(reader.bias))
                yield from self._layers(source.trunk, prefix, capacity)
                for layer in scorer.linears:
                    yield Affine(_copy(layer.weight), _copy(layer.bias))
            case Recurrent() | Bidirectional() | RNN() | LSTM() | GRU():
                name = type(source).__name__
                raise InputError(
                    f"source: expected a network that reads forwards only, got a {name} that reads backwards"
                )
            case Model():
                raise InputError(f"source: expected a language model, got one whose head is {source.config.output!r}")
            case _:
                kinds = "a Recurrent, a Stack of them, an RNN, LSTM or GRU of recurra.nn, or a language model"
                raise InputError(f"source: expected {kinds}, got {type(source).__name__}")

    def _recurrence(
        self,
        cell: Cell,
        weight_ih: Tensor,
        bias_ih: Tensor | None,
        params: dict[str, Tensor],
        start: State,
        prefix: str,
        capacity: int,
    ) -> Recurrence:
        if cell.random:
            raise InputError(
                f"source: {cell.name} has random values of its own ({', '.join(cell.random)}): use its layer"
            )
        starts = {f"{prefix}{name}": _copy(start[name])[0] for name in start.names}
        states = {name: value.repeat(capacity, 1) for name, value in starts.items()}
        self.first |= starts
        self.states |= states
        own = {name: _copy(value) for name, value in params.items()}
        bias = None if bias_ih is None else _copy(bias_ih)
        return Recurrence(cell, _copy(weight_ih), bias, own, tuple(states.values()))


def _copy(weight: Tensor) -> Tensor:
    """A plain tensor of its own: what is trained further on is not what streams run."""
    return weight.detach().clone()
