"""From a cell to a whole sequence: the seam between the layers above and the code that runs them."""

from collections.abc import Mapping
from typing import Literal

from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import reference, torch_kernels
from recurra.sequences import Ragged

__all__ = ["path", "unroll"]


def path(cell: Cell, x: Ragged) -> Literal["torch", "reference"]:
    """Which code ``unroll`` takes for this cell and input: torch's fused kernels, or the cell's Python step by step."""
    return "torch" if cell in torch_kernels.KERNELS and x.values.is_floating_point() else "reference"


def unroll(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool = False,
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """Runs a cell over every sequence of a batch, from its first step to its last, or from its last to its first.

    x: values [N, I]. weight_ih: [G*H, I]. bias_ih: [G*H] or None. params: the cell's own, by name. initial: one
    [B, size] per state. Returns the first state after every step, values [N, size], and the states after the last
    one, [B, size] each; an empty sequence's are its initial ones. Differentiable in every tensor. The layers check
    shapes; this function takes them as right.
    """
    run = torch_kernels.unroll if path(cell, x) == "torch" else reference.unroll
    return run(cell, x, weight_ih, bias_ih, params, initial, reverse)
