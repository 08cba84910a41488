"""Any cell's own Python over time: the oracle, on any device, in any dtype, for any derivative."""

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

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
    outputs: list[Tensor] = []
    ended: list[tuple[Tensor, ...]] = []
    for step, rows in zip(torch.split(wx, sizes), sizes, strict=True):
        if rows < states[0].shape[0]:
            ended.append(tuple(s[rows:] for s in states))
            states = tuple(s[:rows] for s in states)
        states = cell(step, *states, **params)
        outputs.append(states[0])
    ended.append(states)
    finals = tuple(torch.cat(parts).index_select(0, layout.rank) for parts in zip(*reversed(ended), strict=True))
    packed = torch.cat(outputs) if outputs else states[0].new_empty(0, states[0].shape[1])
    return x.with_values(layout.unpack(packed, reverse)), finals
