"""RNN, LSTM and GRU with torch.nn's arguments, parameter names, start values and results.

Beside padded tensors and PackedSequence they take a Ragged, and then return one.
"""

import math
import warnings
from typing import Literal, TypeVar

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

from recurra.cells.base import Cell
from recurra.cells.gru import gru
from recurra.cells.lstm import lstm
from recurra.cells.lstm_projected import lstm_projected
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.compile import unroll
from recurra.errors import InputError, UnknownNameError
from recurra.nn.checks import check_like, check_probability, check_sizes
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout

# What goes in comes out: a tensor [T, B, I], [B, T, I] or [T, I], a PackedSequence or a Ragged.
Batch = TypeVar("Batch", Tensor, PackedSequence, Ragged)


class _TorchNN(nn.Module):
    """What the three share: torch.nn's parameters, and the loop over layers and directions. Abstract."""

    def __init__(
        self,
        cell: Cell,
        input_size: int,
        hidden_size: int,
        num_layers: int,
        bias: bool,
        batch_first: bool,
        dropout: float,
        bidirectional: bool,
        proj_size: int,
        device: torch.device | str | int | None,
        dtype: torch.dtype | None,
    ):
        super().__init__()
        check_sizes(input_size=input_size, hidden_size=hidden_size, num_layers=num_layers)
        check_probability("dropout", dropout)
        if not 0 <= proj_size < hidden_size:
            raise InputError(f"proj_size: expected 0 to {hidden_size - 1}, less than hidden_size, got {proj_size}")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout={dropout} acts between layers: num_layers=1 has no place for it", stacklevel=3)
        self.cell, self.input_size, self.hidden_size, self.num_layers = cell, input_size, hidden_size, num_layers
        self.bias, self.batch_first, self.dropout = bias, batch_first, float(dropout)
        self.bidirectional, self.proj_size = bidirectional, proj_size
        self._state_sizes = cell.sizes(hidden_size, proj_size)
        self.suffixes = [f"_l{n}{d}" for n in range(num_layers) for d in (["", "_reverse"] if bidirectional else [""])]
        # torch's names, in torch's order: seeds and optimiser states depend on it.
        rows, output = len(cell.gates) * hidden_size, self._state_sizes[cell.output]
        self._names: list[list[str]] = []
        for i, suffix in enumerate(self.suffixes):
            features = input_size if i <= bidirectional else output * (1 + bidirectional)
            shapes: dict[str, tuple[int, ...]] = {"weight_ih": (rows, features), "weight_hh": (rows, output)}
            if bias:
                shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
            if proj_size:
                shapes["weight_hr"] = (proj_size, hidden_size)
            self._names.append([name + suffix for name in shapes])
            for name, shape in zip(self._names[i], shapes.values(), strict=True):
                self.register_parameter(name, nn.Parameter(torch.empty(shape, device=device, dtype=dtype)))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draws all weights and biases uniformly from within 1 / sqrt(hidden_size) of zero, as torch.nn does."""
        bound = 1 / math.sqrt(self.hidden_size)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing; it is here because code written for torch.nn calls it."""

    def _run(self, input: Batch, states: dict[str, Tensor] | None) -> tuple[Batch, tuple[Tensor, ...]]:
        """states: argument name -> [L*D, B, size], or [L*D, size] for an input [T, I]. Returns output and the like."""
        weight: Tensor = self.weight_ih_l0  # type: ignore[assignment]
        x = self._ragged(input, weight)
        alone = isinstance(input, Tensor) and input.ndim == 2
        layers, rows, sizes = len(self.suffixes), len(x), self._state_sizes.values()
        if states is None:
            # Nobody writes into them: they may be the same for all.
            zeros = {size: x.values.new_zeros(rows, size) for size in set(sizes)}
            starts = [tuple(zeros[size] for size in sizes)] * layers
        else:
            for (name, state), size in zip(states.items(), sizes, strict=True):
                check_like(name, state, (layers, size) if alone else (layers, rows, size), weight)
            initial = [s.unsqueeze(1) if alone else s for s in states.values()]
            starts = list(zip(*(s.unbind(0) for s in initial), strict=True))
        finals: list[tuple[Tensor, ...]] = []
        directions = 1 + self.bidirectional
        for first in range(0, layers, directions):
            if first > 0 and self.dropout > 0:
                x = x.with_values(nn.functional.dropout(x.values, self.dropout, self.training))
            outputs = []
            for i in range(first, first + directions):
                y, final = self._unroll(x, i, starts[i])
                outputs.append(y.values)
                finals.append(final)
            x = x.with_values(torch.cat(outputs, -1) if self.bidirectional else outputs[0])
        last = tuple(torch.stack(s) if len(s) > 1 else s[0].unsqueeze(0) for s in zip(*finals, strict=True))
        return self._like(x, input), tuple(s.squeeze(1) for s in last) if alone else last

    def _unroll(self, x: Ragged, index: int, initial: tuple[Tensor, ...]) -> tuple[Ragged, tuple[Tensor, ...]]:
        """One layer in one direction."""
        reverse = self.suffixes[index].endswith("_reverse")
        return unroll(self.cell, x, *self.cell_weights(index), initial, reverse)

    def cell_weights(self, index: int) -> tuple[Tensor, Tensor | None, dict[str, Tensor]]:
        """torch's weights as ``compile.unroll`` takes them: weight_ih, bias_ih, and the cell's own by their names.

        index: of the layer; with two directions, of each layer's forward and then its backward one.
        """
        weight_ih, weight_hh, *rest = (getattr(self, name) for name in self._names[index])
        params: dict[str, Tensor] = {"U": weight_hh}
        bias: Tensor | None = None
        if self.bias and "b" in self.cell.params:
            bias, params["b"] = rest[:2]
        elif self.bias:
            bias = rest[0] + rest[1]
        elif "b" in self.cell.params:
            params["b"] = weight_hh.new_zeros(weight_hh.shape[0])
        if self.proj_size:
            params["V"] = rest[-1]
        return weight_ih, bias, params

    def _ragged(self, input: Tensor | PackedSequence | Ragged, weight: Tensor) -> Ragged:
        if isinstance(input, Ragged):
            check_like("input.values", input.values, ("N", self.input_size), weight)
            return input
        if isinstance(input, PackedSequence):
            check_like("input.data", input.data, ("N", self.input_size), weight)
            return Ragged.from_packed(input)
        if input.ndim == 2:
            check_like("input", input, ("T", self.input_size), weight)
            return Ragged.of_layout(input, Layout.of_equal(1, input.shape[0], input.device))
        check_like("input", input, (*("BT" if self.batch_first else "TB"), self.input_size), weight)
        padded = input if self.batch_first else input.transpose(0, 1)
        return Ragged.of_layout(padded.flatten(0, 1), Layout.of_equal(padded.shape[0], padded.shape[1], input.device))

    def _like(self, y: Ragged, input: Batch) -> Batch:
        if isinstance(input, Ragged):
            return y
        if isinstance(input, PackedSequence):
            return PackedSequence(y.layout.pack(y.values, False), *input[1:])
        if input.ndim == 2:
            return y.values
        if self.batch_first:
            return y.values.reshape(*input.shape[:2], y.values.shape[1])
        # Contiguous, as torch's is: callers use view().
        return y.values.reshape(input.shape[1], input.shape[0], y.values.shape[1]).transpose(0, 1).contiguous()

    def extra_repr(self) -> str:
        parts = [str(self.input_size), str(self.hidden_size)]
        defaults = {"proj_size": 0, "num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0}
        for name, default in (defaults | {"bidirectional": False}).items():
            if getattr(self, name) != default:
                parts.append(f"{name}={getattr(self, name)}")
        return ", ".join(parts)


class RNN(_TorchNN):
    """Drop-in for torch.nn.RNN: same arguments, state_dict and results.

    Input [T, B, I], [B, T, I] with ``batch_first``, [T, I], PackedSequence or Ragged; hx [L*D, B, H] ([L*D, H] for
    [T, I]), zeros if None, with D directions. Returns output of the input's kind with D*H features, and hx after the
    last step. Unlike torch, an empty sequence is allowed: its state does not change. Raises ShapeError, InputError.

    >>> y, h = RNN(3, 5, num_layers=2)(torch.randn(7, 4, 3))
    >>> y.shape, h.shape
    (torch.Size([7, 4, 5]), torch.Size([2, 4, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Literal["tanh", "relu"] = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ):
        cells = {"tanh": rnn_tanh, "relu": rnn_relu}
        if nonlinearity not in cells:
            raise UnknownNameError("nonlinearity", nonlinearity, cells)
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(cells[nonlinearity], input_size, hidden_size, *options, 0, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Batch, hx: Tensor | None = None) -> tuple[Batch, Tensor]:
        output, (h,) = self._run(input, None if hx is None else {"hx": hx})
        return output, h


class LSTM(_TorchNN):
    """Drop-in for torch.nn.LSTM, ``proj_size`` included: same arguments, state_dict and results.

    As RNN, except that hx is a pair (h_0, c_0); h and the output have proj_size units if that is not 0.

    >>> x = Ragged.from_list([torch.randn(7, 3), torch.randn(2, 3)])
    >>> y, (h, c) = LSTM(3, 5, bidirectional=True)(x)
    >>> y, h.shape
    (Ragged(B=2, N=9, features=[10], dtype=torch.float32), torch.Size([2, 2, 5]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ):
        options = (num_layers, bias, batch_first, dropout, bidirectional, proj_size)
        super().__init__(lstm_projected if proj_size else lstm, input_size, hidden_size, *options, device, dtype)

    def forward(self, input: Batch, hx: tuple[Tensor, Tensor] | None = None) -> tuple[Batch, tuple[Tensor, Tensor]]:
        if hx is not None and not (isinstance(hx, tuple | list) and len(hx) == 2):
            raise InputError(f"hx: expected a pair (h_0, c_0), got {type(hx).__name__}")
        output, (h, c) = self._run(input, None if hx is None else {"hx[0]": hx[0], "hx[1]": hx[1]})
        return output, (h, c)


class GRU(_TorchNN):
    """Drop-in for torch.nn.GRU: same arguments, state_dict and results. Input, hx and what is returned: as RNN.

    >>> GRU(3, 5, batch_first=True)
    GRU(3, 5, batch_first=True)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        device: torch.device | str | int | None = None,
        dtype: torch.dtype | None = None,
    ):
        options = (num_layers, bias, batch_first, dropout, bidirectional)
        super().__init__(gru, input_size, hidden_size, *options, 0, device, dtype)

    def forward(self, input: Batch, hx: Tensor | None = None) -> tuple[Batch, Tensor]:
        output, (h,) = self._run(input, None if hx is None else {"hx": hx})
        return output, h
