"""A layer's weights as other libraries keep them: one matrix and one bias for the input, one for the recurrence.

What differs from one library to the next is the order of the gates' blocks, and whether the two biases are one sum.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt
import torch
from torch import Tensor

from recurra.cells import Cell
from recurra.cells.gru_reset_before import gru_reset_before
from recurra.errors import InputError, ShapeError
from recurra.nn import Bidirectional, Layer, Recurrent, Stack

# Matrices of a cell that other libraries keep one below the other, as their recurrent matrix; of all other cells, U.
RECURRENT = {gru_reset_before: ("U", "V")}


def reordered(x: Tensor, have: Sequence[str], want: Sequence[str]) -> Tensor:
    """x: [len(have) * H, ...], a block for each name. Returns the blocks in the order wanted; one may be left out.

    >>> reordered(torch.arange(6), "ifo", "oif")
    tensor([4, 5, 0, 1, 2, 3])
    """
    blocks = dict(zip(have, x.chunk(len(have)), strict=True))
    return torch.cat([blocks[name] for name in want])


@dataclass(frozen=True)
class Weights:
    """One cell in one direction. G gates in the order of ``gates``; C is H, or R for a projected state.

    input: [G*H, I]. recurrent: [G*H, C]. biases: of the input and of the recurrence, [G*H] each; None: there are none.
    others: what else the cell has, by its names.
    """

    cell: Cell
    gates: tuple[str, ...]
    input: Tensor
    recurrent: Tensor
    biases: tuple[Tensor, Tensor] | None
    others: Mapping[str, Tensor]
    reverse: bool = False

    @property
    def bias(self) -> Tensor | None:
        """Both as one, which is the same wherever they are only added."""
        return None if self.biases is None else torch.add(*self.biases)

    @staticmethod
    @torch.no_grad()
    def of(layer: Recurrent) -> "Weights":
        """The layer's own, the gates in the order of its cell."""
        cell, params = layer.cell, {name: p.detach() for name, p in layer.params.items()}
        recurrent = torch.cat([params.pop(name) for name in _matrices(cell)])
        own = params.pop("b", None)
        biases = None
        if layer.bias_ih is not None or own is not None:
            nothing = recurrent.new_zeros(recurrent.shape[0])
            biases = (nothing if layer.bias_ih is None else layer.bias_ih.detach(), nothing if own is None else own)
        return Weights(cell, cell.gates, layer.weight_ih.detach(), recurrent, biases, params, layer.reverse)

    def ordered(self, gates: Sequence[str]) -> "Weights":
        """The same, the gates in this order; one may be left out."""
        return self.changed(gates, lambda x: reordered(x, self.gates, gates))

    def changed(self, gates: Sequence[str], change: Callable[[Tensor], Tensor]) -> "Weights":
        """The same with other gates. change: makes of what has a block for each gate, matrix or bias, the new one."""
        biases = None if self.biases is None else (change(self.biases[0]), change(self.biases[1]))
        matrices = change(self.input), change(self.recurrent)
        return replace(self, gates=tuple(gates), input=matrices[0], recurrent=matrices[1], biases=biases)

    @torch.no_grad()
    def layer(self) -> Recurrent:
        """A layer with a copy of these weights, in their dtype and on their device; nothing random is drawn."""
        own = self.ordered(self.cell.gates)
        names, hidden = _matrices(self.cell), self.input.shape[0] // len(self.gates)
        heights = [size(hidden, 0) for size in (self.cell.param_sizes()[name][0] for name in names)]
        params = dict(zip(names, torch.split(own.recurrent, heights), strict=True)) | dict(self.others)
        bias = own.bias
        if "b" in self.cell.params:
            nothing = own.recurrent.new_zeros(len(own.recurrent))
            bias, params["b"] = (None, nothing) if own.biases is None else own.biases
        # Without memory first: what a constructor draws would only be thrown away.
        with torch.device("meta"):
            projected = self.recurrent.shape[1] if self.cell.projects else 0
            layer = Recurrent(
                self.cell,
                self.input.shape[1],
                hidden,
                projection_size=projected,
                bias=bias is not None,
                reverse=self.reverse,
            )
        named = {"weight_ih": own.input} | ({} if bias is None else {"bias_ih": bias})
        named |= {f"params.{name}": value for name, value in params.items()}
        layer.load_state_dict(
            {name: value.clone(memory_format=torch.contiguous_format) for name, value in named.items()}, assign=True
        )
        return layer


def array(x: Tensor) -> npt.NDArray[Any]:
    """x as NumPy's, a copy. Raises ShapeError for a dtype that NumPy has not."""
    if x.dtype not in (torch.float16, torch.float32, torch.float64):
        raise ShapeError("dtype of the layer", "float16, float32 or float64", x.dtype)
    return x.detach().cpu().contiguous().numpy().copy()


def _matrices(cell: Cell) -> tuple[str, ...]:
    return RECURRENT.get(cell, ("U",))


def levels(layer: Layer, library: str, residual: bool = False) -> list[Recurrent | Bidirectional]:
    """The layers of a Stack, or the one layer. residual: whether the library can add a layer's input to its output.

    Raises InputError for a Stack in a Stack, another kind of layer, or residual layers where there are none.
    """
    if isinstance(layer, Stack) and layer.residual and not residual:
        raise InputError(f"residual: {library} adds no layer's input to its output; give the Stack's layers one by one")
    found = list(layer.layers) if isinstance(layer, Stack) else [layer]
    for each in found:
        if not isinstance(each, Recurrent | Bidirectional):
            raise InputError(
                f"layer: {library} takes Recurrent, Bidirectional, or a Stack of them, got {type(each).__name__}"
            )
    return found  # type: ignore[return-value]


def directions(layer: Recurrent | Bidirectional) -> list[Recurrent]:
    """The layer itself, or its forward and its backward layer."""
    if isinstance(layer, Recurrent):
        return [layer]
    parts = [part for part in (layer.forwards, layer.backwards) if isinstance(part, Recurrent)]
    if len(parts) < 2:
        raise InputError("layer: expected two Recurrent layers in a Bidirectional, got other ones")
    return parts


def joined(layers: Sequence[Recurrent]) -> Recurrent | Bidirectional:
    """What ``directions`` took apart."""
    return layers[0] if len(layers) == 1 else Bidirectional(layers[0], layers[1])


def stacked(layers: Sequence[Recurrent | Bidirectional], dropout: float) -> Layer:
    """The layer itself where there is only one."""
    return layers[0] if len(layers) == 1 else Stack(layers, dropout)


def check(layer: Recurrent, library: str, cells: Iterable[Cell], learned_state: bool = False) -> None:
    """Raises InputError for what the library lacks. cells: that it has. learned_state: whether it may start there."""
    known = {cell.name: cell for cell in cells}
    if known.get(layer.cell.name) is not layer.cell:
        raise InputError(f"cell: {library} has no {layer.cell.name}; it has {', '.join(sorted(known))}")
    if layer.serving_cell is not layer.cell:
        raise InputError(f"zoneout: {library} has none, and outputs without it would differ; set it to 0 to go without")
    if layer.start is not None and not learned_state:
        raise InputError(f"learned_state: {library} has no initial state among its weights; give layer.start each time")


def check_alike(layers: Sequence[Recurrent], library: str) -> None:
    """Raises InputError unless all have one cell and as many units: where a library knows only such layers."""
    sizes = {(layer.cell.name, layer.hidden_size, layer.projection_size) for layer in layers}
    if len(sizes) > 1:
        got = ", ".join(" ".join(str(part) for part in size if part) for size in sorted(sizes))
        raise InputError(f"layer: {library} takes one cell and one number of units for all of these, got {got}")
