"""What weights start from, with matrices and with convolutions."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurra.cells.base import Cell, Parameter


@torch.no_grad()
def draw_input(cell: Cell, weight: Tensor, bias: Tensor | None, gate_bias: Mapping[str, float]) -> None:
    """weight: [G*H, I, ...], Xavier uniform, each gate by itself. bias: [G*H], by gate, 0 where not given."""
    for block in weight.chunk(len(cell.gates)):
        nn.init.xavier_uniform_(block)
    if bias is not None:
        for gate, block in zip(cell.gates, bias.chunk(len(cell.gates)), strict=True):
            block.fill_(gate_bias.get(gate, 0.0))


@torch.no_grad()
def draw_own(declared: Parameter, value: Tensor, height: int) -> None:
    """A cell's own parameter as it is declared. height: rows of a matrix that are drawn by themselves."""
    if isinstance(declared.init, float):
        value.fill_(declared.init)
    elif isinstance(declared.init, tuple):
        value.uniform_(*declared.init)
    else:
        draw = nn.init.orthogonal_ if declared.init == "orthogonal" else nn.init.xavier_uniform_
        for block in torch.split(value, height):
            draw(block)
