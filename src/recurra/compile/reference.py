"""Any cell's own Python over time: the oracle, on any device, in any dtype, for any derivative."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.cells._noise import uniform
from recurra.cells.base import Cell
from recurra.sequences import Ragged


def unroll(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool,
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """As ``recurra.compile.unroll``. Rows are sorted by length, so that those still running are a prefix."""
    layout = x.layout
    wx = layout.pack(linear(x.values, weight_ih, bias_ih), reverse)
    sizes = layout.batch_sizes.tolist()
    states = tuple(s.index_select(0, layout.order) for s in initial)
    params, random = dict(params), {name: params[name].index_select(0, layout.order) for name in cell.random}
    widths = {name: size(*units_of(cell, weight_ih, initial)) for name, size in cell.random_sizes().items()}
    outputs: list[Tensor] = []
    ended: list[tuple[Tensor, ...]] = []
    for t, (step, rows) in enumerate(zip(torch.split(wx, sizes), sizes, strict=True)):
        if rows < states[0].shape[0]:
            ended.append(tuple(s[rows:] for s in states))
            states = tuple(s[:rows] for s in states)
        for name, value in random.items():
            drawn = cell.random[name].each == "step"
            params[name] = uniform(value[:rows], t, widths[name], step.dtype) if drawn else value[:rows]
        states = cell(step, *states, **params)
        outputs.append(states[0])
    ended.append(states)
    finals = tuple(torch.cat(parts).index_select(0, layout.rank) for parts in zip(*reversed(ended), strict=True))
    packed = torch.cat(outputs) if outputs else states[0].new_empty(0, states[0].shape[1])
    return x.with_values(layout.unpack(packed, reverse)), finals


def units_of(cell: Cell, weight_ih: Tensor, initial: Sequence[Tensor]) -> tuple[int, int]:
    """H from the input weights, R from a state that has it."""
    hidden = weight_ih.shape[0] // len(cell.gates)
    if not cell.projects:
        return hidden, 0
    sizes = zip(cell.state_sizes().values(), initial, strict=True)
    return hidden, next((s.shape[1] // size.factor for size, s in sizes if size.letter == "R"), 0)
