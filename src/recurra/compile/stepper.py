"""Rows that go on step by step: layers over states that stay where they are, with weights as they were at the start."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.cells.base import Cell
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


@dataclass(frozen=True)
class Affine:
    """A layer without memory. weight: [output_size, I]. bias: [output_size], or None."""

    weight: Tensor
    bias: Tensor | None

    @property
    def tensors(self) -> list[Tensor]:
        return [t for t in (self.weight, self.bias) if t is not None]


@dataclass(frozen=True)
class Recurrence:
    """A cell over time, with its weights as ``unroll`` takes them. states: [capacity, size] each, changed in place."""

    cell: Cell
    weight_ih: Tensor
    bias_ih: Tensor | None
    params: Mapping[str, Tensor]
    states: tuple[Tensor, ...]

    @property
    def tensors(self) -> list[Tensor]:
        weights = self.weight_ih, self.bias_ih, *self.params.values(), *self.states
        return [t for t in weights if t is not None]


@dataclass(frozen=True)
class Residual:
    """Layers, each above the one before, whose input is added to their output. They are never the first of all."""

    layers: "Layers"

    @property
    def tensors(self) -> list[Tensor]:
        return [t for layer in self.layers for t in layer.tensors]


Layers = Sequence[Affine | Recurrence | Residual]


class Stepper(ABC):
    """Layers, each above the one before.

    one(x): the next step of row 0, with as little Python around it as there can be. x: [I], contiguous, of the weights'
    type. Returns [output_size]. None where the layers are not compiled.
    """

    one: Callable[[Tensor], Tensor] | None = None

    @abstractmethod
    def __call__(self, x: Tensor, slots: Sequence[int], steps: int) -> Tensor:
        """The next ``steps`` steps of the rows of these numbers, B different ones.

        x: [B * T, I], contiguous, row after row. Returns [B * T, output_size]; the rows' states change.
        """


class Unrolled(Stepper):
    """Layer by layer, through ``unroll``: on any device, in any dtype. Autocast does not act."""

    def __init__(self, layers: Layers, unroll: Callable[..., tuple[Ragged, tuple[Tensor, ...]]]):
        self._layers, self._unroll = layers, unroll

    @torch.no_grad()
    def __call__(self, x: Tensor, slots: Sequence[int], steps: int) -> Tensor:
        with torch.autocast(x.device.type, enabled=False):
            where = torch.tensor(slots, dtype=torch.int64, device=x.device)
            return self._run(self._layers, x, where, Layout.of_equal(len(where), steps, x.device))

    def _run(self, layers: Layers, x: Tensor, where: Tensor, layout: Layout) -> Tensor:
        for layer in layers:
            if isinstance(layer, Affine):
                x = linear(x, layer.weight, layer.bias)
                continue
            if isinstance(layer, Residual):
                x = x + self._run(layer.layers, x, where, layout)
                continue
            initial = tuple(s.index_select(0, where) for s in layer.states)
            weights = layer.weight_ih, layer.bias_ih, layer.params
            y, finals = self._unroll(layer.cell, Ragged.of_layout(x, layout), *weights, initial, False)
            for state, final in zip(layer.states, finals, strict=True):
                state.index_copy_(0, where, final)
            x = y.values
        return x
