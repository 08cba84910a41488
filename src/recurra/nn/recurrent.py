"""Recurrent layers over Ragged batches: one cell over time, both directions, several layers.

State goes in and comes out; a layer holds weights only. All layers here have one face, ``Layer``, so that they nest.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from recurra.cells.base import Cell
from recurra.compile import unroll
from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.nn.checks import check_like, check_probability, check_sizes
from recurra.sequences import Ragged, State

Merge = Literal["concat", "sum", "mean", "mul"]


class Layer(nn.Module, ABC):
    """What Recurrent, Bidirectional and Stack have in common. input_size: I. output_size: features of the output."""

    input_size: int
    output_size: int

    @abstractmethod
    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        """x: values [N, I]. state: where each sequence starts, zeros if None.

        Returns the output, values [N, output_size], and the state after each sequence's last step. Raises ShapeError.
        """

    @abstractmethod
    def initial_state(self, rows: int) -> State:
        """Zeros for B rows, on the device and in the dtype of the weights."""

    @abstractmethod
    def last(self, state: State) -> Tensor:
        """[B, output_size]: the final output of every sequence, both directions merged; from what forward returned."""


class Recurrent(Layer):
    """One cell over time.

    cell: from ``recurra.cells``, or your own. input_size: I. hidden_size: H. projection_size: R, for the cells that
    have it. bias: of the input projection. reverse: read each sequence from its last step to its first.
    gate_bias: what a gate's bias starts at, where it is not to be what the cell says.

    Recurrent matrices start orthogonal and input weights Xavier uniform, each gate by itself; biases as the cell says.

    >>> from recurra.cells.gru import gru
    >>> layer = Recurrent(gru, input_size=3, hidden_size=5)
    >>> y, state = layer(Ragged.from_list([torch.randn(7, 3), torch.randn(2, 3)]))
    >>> y, state
    (Ragged(B=2, N=9, features=[5], dtype=torch.float32), State(h: [2, 5]))
    """

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        *,
        projection_size: int = 0,
        bias: bool = True,
        reverse: bool = False,
        gate_bias: Mapping[str, float] | None = None,
    ):
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size)
        if cell.projects and not 0 < projection_size < hidden_size:
            raise InputError(f"projection_size: expected 1 to {hidden_size - 1} for {cell.name}, got {projection_size}")
        if not cell.projects and projection_size != 0:
            raise InputError(f"projection_size: expected 0, as {cell.name} has no projection, got {projection_size}")
        self.cell, self.input_size, self.hidden_size, self.reverse = cell, input_size, hidden_size, reverse
        self.projection_size = projection_size
        self.gate_bias = {**cell.bias, **(gate_bias or {})}
        for gate in self.gate_bias:
            if gate not in cell.gates:
                raise UnknownNameError(f"gate of {cell.name}", gate, cell.gates)
        self.state_sizes = cell.sizes(hidden_size, projection_size)
        self.output_size = self.state_sizes[cell.output]
        self.weight_ih = nn.Parameter(torch.empty(len(cell.gates) * hidden_size, input_size))
        self.bias_ih = nn.Parameter(torch.empty(len(cell.gates) * hidden_size)) if bias else None
        shapes = cell.parameter_shapes(hidden_size, projection_size)
        self.params = nn.ParameterDict({name: nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()})
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        for block in torch.split(self.weight_ih, self.hidden_size):
            nn.init.xavier_uniform_(block)
        if self.bias_ih is not None:
            for gate, block in zip(self.cell.gates, torch.split(self.bias_ih, self.hidden_size), strict=True):
                block.fill_(self.gate_bias.get(gate, 0.0))
        for name, declared in self.cell.params.items():
            if isinstance(declared.init, float):
                self.params[name].fill_(declared.init)
                continue
            if isinstance(declared.init, tuple):
                self.params[name].uniform_(*declared.init)
                continue
            draw = nn.init.orthogonal_ if declared.init == "orthogonal" else nn.init.xavier_uniform_
            height = self.projection_size if declared.sizes[0].endswith("R") else self.hidden_size
            for block in torch.split(self.params[name], height):
                draw(block)

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        check_like("x", x.values, ("N", self.input_size), self.weight_ih)
        if state is None:
            state = self.initial_state(len(x))
        initial = tuple(state[name] for name in self.state_sizes)
        for (name, size), value in zip(self.state_sizes.items(), initial, strict=True):
            check_like(f"state {name}", value, (len(x), size), self.weight_ih)
        params = {name: self.params[name] for name in self.cell.params}
        y, finals = unroll(self.cell, x, self.weight_ih, self.bias_ih, params, initial, self.reverse)
        return y, State(dict(zip(self.state_sizes, finals, strict=True)))

    def initial_state(self, rows: int) -> State:
        return State({name: self.weight_ih.new_zeros(rows, size) for name, size in self.state_sizes.items()})

    def last(self, state: State) -> Tensor:
        return state[self.cell.output]

    def extra_repr(self) -> str:
        parts = [self.cell.name, f"{self.input_size}", f"{self.hidden_size}"]
        parts += [f"projection_size={self.projection_size}"] if self.projection_size else []
        parts += ["bias=False"] if self.bias_ih is None else []
        return ", ".join(parts + (["reverse=True"] if self.reverse else []))


class Bidirectional(Layer):
    """A forward and a backward layer over the same input, their outputs merged step by step.

    merge: ``concat`` puts the features side by side; ``sum``, ``mean`` and ``mul`` need layers of the same output_size.
    Schuster & Paliwal 1997, https://doi.org/10.1109/78.650093.

    >>> from recurra.cells.lstm import lstm
    >>> both = Bidirectional(Recurrent(lstm, 3, 5), Recurrent(lstm, 3, 5, reverse=True))
    >>> y, state = both(Ragged.from_list([torch.randn(7, 3)]))
    >>> y.values.shape, state.names
    (torch.Size([7, 10]), ('forward.h', 'forward.c', 'backward.h', 'backward.c'))
    """

    def __init__(self, forward: Recurrent, backward: Recurrent, merge: Merge = "concat"):
        super().__init__()
        if merge not in get_args(Merge):
            raise UnknownNameError("merge", merge, get_args(Merge))
        if forward.reverse or not backward.reverse:
            raise InputError("forward, backward: expected one layer with reverse=False and one with reverse=True")
        if forward.input_size != backward.input_size:
            raise ShapeError("backward.input_size", forward.input_size, backward.input_size)
        if merge != "concat" and forward.output_size != backward.output_size:
            raise ShapeError(f"backward.output_size with merge {merge!r}", forward.output_size, backward.output_size)
        self.forwards, self.backwards, self.merge = forward, backward, merge
        self.input_size = forward.input_size
        self.output_size = forward.output_size + (backward.output_size if merge == "concat" else 0)

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        if state is None:
            state = self.initial_state(len(x))
        ahead, state_ahead = self.forwards(x, state.part("forward"))
        back, state_back = self.backwards(x, state.part("backward"))
        y = x.with_values(self._merged(ahead.values, back.values))
        return y, State.group({"forward": state_ahead, "backward": state_back})

    def initial_state(self, rows: int) -> State:
        parts = {"forward": self.forwards.initial_state(rows), "backward": self.backwards.initial_state(rows)}
        return State.group(parts)

    def last(self, state: State) -> Tensor:
        ahead, back = self.forwards.last(state.part("forward")), self.backwards.last(state.part("backward"))
        return self._merged(ahead, back)

    def _merged(self, ahead: Tensor, back: Tensor) -> Tensor:
        if self.merge == "concat":
            return torch.cat([ahead, back], dim=-1)
        if self.merge == "mul":
            return ahead * back
        return ahead + back if self.merge == "sum" else (ahead + back) / 2

    def extra_repr(self) -> str:
        return f"merge={self.merge}"


class Stack(Layer):
    """Layers one above the other, with dropout between them (not after the last) while training.

    layers: at least one, each fitting the one before. dropout: probability that a feature of a step is zeroed.

    >>> from recurra.cells.gru import gru
    >>> stack = Stack([Recurrent(gru, 3, 5), Recurrent(gru, 5, 4)], dropout=0.3)
    >>> stack.initial_state(2)
    State(0.h: [2, 5], 1.h: [2, 4])
    """

    def __init__(self, layers: Iterable[Layer], dropout: float = 0.0):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if not self.layers:
            raise InputError("layers: expected at least one layer, got none")
        for i, (below, above) in enumerate(zip(self._each(), self._each()[1:], strict=False)):
            if below.output_size != above.input_size:
                raise ShapeError(f"layers[{i + 1}].input_size", below.output_size, above.input_size)
        check_probability("dropout", dropout)
        self.dropout = dropout
        self.input_size, self.output_size = self._each()[0].input_size, self._each()[-1].output_size

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        if state is None:
            state = self.initial_state(len(x))
        finals: dict[str, State] = {}
        for i, layer in enumerate(self._each()):
            if i > 0 and self.dropout > 0:
                x = x.with_values(nn.functional.dropout(x.values, self.dropout, self.training))
            x, finals[str(i)] = layer(x, state.part(str(i)))
        return x, State.group(finals)

    def initial_state(self, rows: int) -> State:
        return State.group({str(i): layer.initial_state(rows) for i, layer in enumerate(self._each())})

    def last(self, state: State) -> Tensor:
        return self._each()[-1].last(state.part(str(len(self.layers) - 1)))

    def extra_repr(self) -> str:
        return f"dropout={self.dropout}"

    def _each(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]
