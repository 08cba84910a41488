"""What weights start from, with matrices and with convolutions."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from recurra.cells.base import Cell, Parameter


@torch.no_grad()
def draw_input(cell: Cell, weight: Tensor) -> None:
    """weight: [G*H, I, ...], Xavier uniform, each gate by itself."""
    for block in weight.chunk(len(cell.gates)):
        nn.init.xavier_uniform_(block)


@torch.no_grad()
def draw_biases(
    cell: Cell, bias: Tensor | None, params: Mapping[str, Tensor], gate_bias: Mapping[str, float | Tensor]
) -> None:
    """bias: [G*H], of the input projection. params: the cell's own. gate_bias: a number or [H], 0 where not given."""
    if bias is not None:
        bias.zero_()
    own = params[cell.shift] if cell.shift else bias
    if own is not None:
        for gate, block in zip(cell.gates, own.chunk(len(cell.gates), dim=-1), strict=True):
            block.copy_(torch.as_tensor(gate_bias.get(gate, 0.0)))


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
