"""Any cell's own Python over time: the oracle, on any device, in any dtype, for any derivative."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.cells._noise import uniform
from recurra.cells.base import Cell
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


def unroll(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool,
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """As ``recurra.compile.unroll``."""
    params, random = dict(params), {name: params[name].index_select(0, x.layout.order) for name in cell.random}
    widths = {name: size(*units_of(cell, weight_ih, initial)) for name, size in cell.random_sizes().items()}

    def step(t: int, now: Tensor, states: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        for name, value in random.items():
            rows = value[: len(now)]
            params[name] = uniform(rows, t, widths[name], now.dtype) if cell.random[name].each == "step" else rows
        return cell(now, *states, **params)

    y, finals = scan(x.layout, linear(x.values, weight_ih, bias_ih), initial, reverse, step)
    return x.with_values(y), finals


def scan(
    layout: Layout,
    wx: Tensor,
    initial: tuple[Tensor, ...],
    reverse: bool,
    step: Callable[[int, Tensor, tuple[Tensor, ...]], tuple[Tensor, ...]],
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """A step over time, for all sequences at once; what the tensors of a row look like is left to it.

    wx: [N, ...]. initial: [B, ...] each. step: makes new states of its number, its part of ``wx`` and the states, of
    the sequences that still run; longest first, so that these are a prefix. Returns the first state after every step,
    [N, ...], and those after each sequence's last.
    """
    sizes = layout.batch_sizes.tolist()
    states = tuple(s.index_select(0, layout.order) for s in initial)
    outputs: list[Tensor] = []
    ended: list[tuple[Tensor, ...]] = []
    for t, (now, rows) in enumerate(zip(torch.split(layout.pack(wx, reverse), sizes), sizes, strict=True)):
        if rows < states[0].shape[0]:
            ended.append(tuple(s[rows:] for s in states))
            states = tuple(s[:rows] for s in states)
        states = step(t, now, states)
        outputs.append(states[0])
    ended.append(states)
    finals = tuple(torch.cat(parts).index_select(0, layout.rank) for parts in zip(*reversed(ended), strict=True))
    packed = torch.cat(outputs) if outputs else states[0].new_empty(0, *states[0].shape[1:])
    return layout.unpack(packed, reverse), finals


def units_of(cell: Cell, weight_ih: Tensor, initial: Sequence[Tensor]) -> tuple[int, int]:
    """H from the input weights, R from a state that has it."""
    hidden = weight_ih.shape[0] // len(cell.gates)
    if not cell.projects:
        return hidden, 0
    sizes = zip(cell.state_sizes().values(), initial, strict=True)
    return hidden, next((s.shape[1] // size.factor for size, s in sizes if size.letter == "R"), 0)
