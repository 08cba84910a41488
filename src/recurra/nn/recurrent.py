"""Recurrent layers over Ragged batches: one cell over time, both directions, several layers.

State goes in and comes out; a layer holds weights only. All layers here have one face, ``Layer``, so that they nest.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from functools import reduce
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from recurra.cells import Cell, variant
from recurra.compile import show, unroll
from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.nn.checks import check_like, check_probability, check_sizes
from recurra.nn.dropout import Dropout
from recurra.nn.initial import draw_biases, draw_input, draw_own
from recurra.sequences import Ragged, State

Merge = Literal["concat", "sum", "mean", "mul"]


class Layer(nn.Module, ABC):
    """What all layers have in common. input_size: I. output_size: features of the output. reverse: whether it reads
    from each sequence's last step to its first; None: both ways.

    Of layers over frames (``Convolutional``) a feature is a channel: there is [height, width] more to each tensor.
    """

    input_size: int
    output_size: int
    reverse: bool | None = None

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
    heads: into how many parts the units are divided that do not hear each other, for cells that have heads.

    How it starts. Recurrent matrices are orthogonal and input weights Xavier uniform, each gate by itself; biases are
    as the cell says. gate_bias: a gate's bias where it is to be another. chrono: about how many steps are to be
    remembered; the biases of the gates that keep and enter memory are drawn for that (Tallec & Ollivier 2018,
    https://arxiv.org/abs/1804.11188); 0: not. learned_state: the initial state is a parameter, zero at first.

    While training only. recurrent_dropout: share of what enters a recurrent matrix product that is zeroed, the same for
    all steps of a sequence (Gal & Ghahramani 2016). zoneout: how likely a unit keeps its state, for all states or by
    name; in evaluation the mean (Krueger et al. 2017). weight_drop: share of the recurrent matrices' elements that are
    zeroed (Merity et al. 2018, https://arxiv.org/abs/1708.02182). clip_gradient: bound of each element of the gradient
    from one step to the step before; 0: none.

    >>> from recurra.cells.gru import gru
    >>> layer = Recurrent(gru, input_size=3, hidden_size=5)
    >>> y, state = layer(Ragged.from_list([torch.randn(7, 3), torch.randn(2, 3)]))
    >>> y, state
    (Ragged(B=2, N=9, features=[5], dtype=torch.float32), State(h: [2, 5]))
    """

    reverse: bool

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
        heads: int = 1,
        chrono: float = 0.0,
        learned_state: bool = False,
        recurrent_dropout: float = 0.0,
        zoneout: float | Mapping[str, float] = 0.0,
        weight_drop: float = 0.0,
        clip_gradient: float = 0.0,
    ):
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, heads=heads)
        rates = dict(zoneout) if isinstance(zoneout, Mapping) else dict.fromkeys(cell.states, zoneout)
        check_probability("recurrent_dropout", recurrent_dropout)
        check_probability("weight_drop", weight_drop)
        for rate in rates.values():
            check_probability("zoneout", rate)
        self.cell, self.input_size, self.hidden_size, self.reverse = cell, input_size, hidden_size, reverse
        self.projection_size = projected_units(cell, hidden_size, projection_size)
        self.gate_bias = gate_biases(cell, gate_bias, bias)
        if weight_drop and not any(len(p.sizes) == 2 for p in cell.params.values()):
            raise InputError(f"weight_drop: expected 0, as {cell.name} has no recurrent matrix, got {weight_drop}")
        has_heads = any(p.heads for p in cell.params.values())
        if heads > 1 and (hidden_size % heads or not has_heads):
            wanted = f"a divisor of {hidden_size}" if has_heads else f"1, as {cell.name} has no heads"
            raise InputError(f"heads: expected {wanted}, got {heads}")
        if chrono and (not cell.memory or not bias or chrono < 2):
            raise InputError(
                f"chrono: expected 0, or at least 2 for a cell whose gates hold memory and have a bias, got {chrono} "
                f"for {cell.name}" + ("" if bias else " without bias")
            )
        self.heads, self.chrono = heads, chrono
        self.recurrent_dropout, self.weight_drop = recurrent_dropout, weight_drop
        # What trains and what is used afterwards are different cells.
        self._trains = variant(cell, dropout=recurrent_dropout > 0, zoneout=rates, clip=clip_gradient)
        self._serves = variant(cell, zoneout=rates, expected=True)
        self.state_sizes = cell.sizes(hidden_size, projection_size)
        self.output_size = self.state_sizes[cell.output]
        self.weight_ih = nn.Parameter(torch.empty(len(cell.gates) * hidden_size, input_size))
        self.bias_ih = nn.Parameter(torch.empty(len(cell.gates) * hidden_size)) if bias else None
        shapes = cell.parameter_shapes(hidden_size, projection_size)
        for name, declared in cell.params.items():
            if declared.heads:
                shapes[name] = (shapes[name][0], shapes[name][1] // heads)
        self.params = nn.ParameterDict({name: nn.Parameter(torch.empty(shape)) for name, shape in shapes.items()})
        starts = {name: nn.Parameter(torch.empty(size)) for name, size in self.state_sizes.items()}
        self.start = nn.ParameterDict(starts) if learned_state else None
        self.reset_parameters()

    @torch.no_grad()
    def reset_parameters(self) -> None:
        """Draws the weights anew."""
        draw_input(self.cell, self.weight_ih)
        biases: dict[str, float | Tensor] = dict(self.gate_bias)
        if self.chrono:
            steps = torch.empty(self.hidden_size).uniform_(1, self.chrono - 1).log()
            biases |= {gate: sign * steps for gate, sign in self.cell.memory.items()}
        for start in self.start.values() if self.start is not None else ():
            start.zero_()
        for name, declared in self.cell.params.items():
            height = self.projection_size if declared.sizes[0].endswith("R") else self.hidden_size
            draw_own(declared, self.params[name], height // self.heads if declared.heads else height)
        draw_biases(self.cell, self.bias_ih, dict(self.params), biases)

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        initial = self._initial(x, state)
        cell = self._trains if self.training else self._serves
        params = self.cell_weights(training=self.training) | self._drawn(cell, len(x))
        y, finals = unroll(cell, x, self.weight_ih, self.bias_ih, params, initial, self.reverse)
        return y, State(dict(zip(self.state_sizes, finals, strict=True)))

    def inspect(self, x: Ragged, state: State | None = None) -> dict[str, Ragged]:
        """Every state, and the value of every gate, after each step, as in evaluation and without gradients.

        x, state: as for ``forward``. Returns by name a Ragged of values [N, size]; a gate that no activation of its own
        follows is left out. Raises InputError on devices and for dtypes that kernels are not compiled for.

        >>> from recurra.cells.lstm import lstm
        >>> layer, x = Recurrent(lstm, 3, 5), Ragged.from_list([torch.randn(7, 3)])
        >>> sorted(layer.inspect(x))
        ['c', 'f', 'g', 'h', 'i', 'o']
        """
        weights = self.weight_ih, self.bias_ih, self.cell_weights(training=False)
        return show(self._serves, x, *weights, self._initial(x, state), self.reverse)

    def _initial(self, x: Ragged, state: State | None) -> tuple[Tensor, ...]:
        """The states sequences start from. Raises ShapeError for an input or a state that does not fit."""
        check_like("x", x.values, ("N", self.input_size), self.weight_ih)
        if state is None:
            state = self.initial_state(len(x))
        initial = tuple(state[name] for name in self.state_sizes)
        for (name, size), value in zip(self.state_sizes.items(), initial, strict=True):
            check_like(f"state {name}", value, (len(x), size), self.weight_ih)
        return initial

    def initial_state(self, rows: int) -> State:
        if self.start is not None:
            return State({name: start.expand(rows, -1) for name, start in self.start.items()})
        return State({name: self.weight_ih.new_zeros(rows, size) for name, size in self.state_sizes.items()})

    @property
    def serving_cell(self) -> Cell:
        """The cell as it runs in evaluation."""
        return self._serves

    def cell_weights(self, *, training: bool) -> dict[str, Tensor]:
        """The cell's own weights as its equations take them: heads as one matrix, in training with weight drop."""
        weights: dict[str, Tensor] = {}
        for name, declared in self.cell.params.items():
            weight = self.params[name]
            if declared.heads and self.heads > 1:
                weight = _block_diagonal(weight, self.heads)
            if len(declared.sizes) == 2 and self.weight_drop and training:
                weight = nn.functional.dropout(weight, self.weight_drop)
            weights[name] = weight
        return weights

    def _drawn(self, cell: Cell, rows: int) -> dict[str, Tensor]:
        """The random values of a call, for each sequence: masks, ones in evaluation, and keys of each step's noise."""
        keep = 1 - self.recurrent_dropout if self.training else 1.0
        drawn: dict[str, Tensor] = {}
        for name, size in cell.random_sizes().items():
            if cell.random[name].each == "step":
                drawn[name] = torch.randint(2**31, (rows,), device=self.weight_ih.device)
            else:
                mask = self.weight_ih.new_empty(rows, size(self.hidden_size, self.projection_size))
                drawn[name] = mask.bernoulli_(keep).div_(keep or 1.0)
        return drawn

    def last(self, state: State) -> Tensor:
        return state[self.cell.output]

    def extra_repr(self) -> str:
        parts = [self.cell.name, f"{self.input_size}", f"{self.hidden_size}"]
        parts += [f"projection_size={self.projection_size}"] if self.projection_size else []
        parts += ["bias=False"] if self.bias_ih is None else []
        return ", ".join(parts + (["reverse=True"] if self.reverse else []))


class Bidirectional(Layer):
    """A forward and a backward layer over the same input, their outputs merged step by step.

    Either may be a Stack of layers that read one way: the directions then do not hear each other until they are merged.
    merge: ``concat`` puts the features side by side; ``sum``, ``mean`` and ``mul`` need layers of the same output_size.
    Schuster & Paliwal 1997, https://doi.org/10.1109/78.650093.

    >>> from recurra.cells.lstm import lstm
    >>> both = Bidirectional(Recurrent(lstm, 3, 5), Recurrent(lstm, 3, 5, reverse=True))
    >>> y, state = both(Ragged.from_list([torch.randn(7, 3)]))
    >>> y.values.shape, state.names
    (torch.Size([7, 10]), ('forward.h', 'forward.c', 'backward.h', 'backward.c'))
    """

    def __init__(self, forward: Layer, backward: Layer, merge: Merge = "concat"):
        super().__init__()
        if merge not in get_args(Merge):
            raise UnknownNameError("merge", merge, get_args(Merge))
        if (forward.reverse, backward.reverse) != (False, True):
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
            return torch.cat([ahead, back], dim=1)
        if self.merge == "mul":
            return ahead * back
        return ahead + back if self.merge == "sum" else (ahead + back) / 2

    def extra_repr(self) -> str:
        return f"merge={self.merge}"


class Stack(Layer):
    """Layers one above the other, with dropout between them (not after the last) while training.

    layers: at least one, each fitting the one before; they may have different cells and widths. dropout: probability
    that a feature of a step is zeroed. variational: the same features at every step of a sequence.

    residual: each layer above the first that is as wide as its input adds it to its output (He et al. 2015,
    https://arxiv.org/abs/1512.03385; Wu et al. 2016, https://arxiv.org/abs/1609.08144). What is added is not dropped
    out. ``last`` is then the sum of these layers' last outputs.

    >>> from recurra.cells.gru import gru
    >>> stack = Stack([Recurrent(gru, 3, 5), Recurrent(gru, 5, 4)], dropout=0.3)
    >>> stack.initial_state(2)
    State(0.h: [2, 5], 1.h: [2, 4])
    """

    def __init__(
        self, layers: Iterable[Layer], dropout: float = 0.0, *, variational: bool = False, residual: bool = False
    ):
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if not self.layers:
            raise InputError("layers: expected at least one layer, got none")
        for i, (below, above) in enumerate(zip(self._each(), self._each()[1:], strict=False)):
            if below.output_size != above.input_size:
                raise ShapeError(f"layers[{i + 1}].input_size", below.output_size, above.input_size)
        self.dropout, self.residual = Dropout(dropout, variational=variational), residual
        if residual and not any(map(self.adds, range(len(self.layers)))):
            raise InputError("residual: expected a layer above the first that is as wide as its input, got none")
        self.input_size, self.output_size = self._each()[0].input_size, self._each()[-1].output_size
        ways = {layer.reverse for layer in self._each()}
        self.reverse = ways.pop() if len(ways) == 1 else None

    def forward(self, x: Ragged, state: State | None = None) -> tuple[Ragged, State]:
        if state is None:
            state = self.initial_state(len(x))
        finals: dict[str, State] = {}
        for i, layer in enumerate(self._each()):
            y, finals[str(i)] = layer(self.dropout(x) if i > 0 else x, state.part(str(i)))
            x = y.with_values(x.values + y.values) if self.adds(i) else y
        return x, State.group(finals)

    def adds(self, index: int) -> bool:
        """Whether this layer's input is added to its output."""
        layer = self._each()[index]
        return self.residual and index > 0 and layer.input_size == layer.output_size

    def initial_state(self, rows: int) -> State:
        return State.group({str(i): layer.initial_state(rows) for i, layer in enumerate(self._each())})

    def last(self, state: State) -> Tensor:
        # From the topmost layer that adds nothing; the first is one.
        start = max(i for i in range(len(self.layers)) if not self.adds(i))
        return reduce(torch.add, (self._each()[i].last(state.part(str(i))) for i in range(start, len(self.layers))))

    def extra_repr(self) -> str:
        return "residual=True" if self.residual else ""

    def _each(self) -> list[Layer]:
        return list(self.layers)  # type: ignore[arg-type]


def projected_units(cell: Cell, hidden: int, projected: int) -> int:
    """R, checked. Raises InputError unless it is 0 for a cell without projection, and less than H for one that has."""
    if cell.projects and not 0 < projected < hidden:
        raise InputError(f"projection_size: expected 1 to {hidden - 1} for {cell.name}, got {projected}")
    if not cell.projects and projected != 0:
        raise InputError(f"projection_size: expected 0, as {cell.name} has no projection, got {projected}")
    return projected


def gate_biases(cell: Cell, given: Mapping[str, float] | None, bias: bool) -> dict[str, float]:
    """What gates' biases start from, the cell's own and those given.

    Raises UnknownNameError, or InputError for a layer without biases.
    """
    if given and not bias:
        raise InputError(f"gate_bias: expected none without bias, got {dict(given)}")
    for gate in given or {}:
        if gate not in cell.gates:
            raise UnknownNameError(f"gate of {cell.name}", gate, cell.gates)
    return {**cell.bias, **(given or {})}


def _block_diagonal(weight: Tensor, heads: int) -> Tensor:
    """[rows, columns / heads], in which each head's rows know its own columns alone, as [rows, columns]."""
    rows, columns = weight.shape
    blocks = weight.view(-1, heads, columns, 1, columns) * torch.eye(heads, dtype=weight.dtype).view(
        1, heads, 1, heads, 1
    ).to(weight)
    return blocks.view(rows, heads * columns)
