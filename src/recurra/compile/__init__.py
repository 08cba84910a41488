"""From a cell to a whole sequence: the seam between the layers above and the code that runs them."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import op, reference, torch_kernels
from recurra.compile.trace import trace
from recurra.sequences import Ragged

__all__ = ["path", "unroll"]

Path = Literal["kernel", "torch", "reference"]


def path(cell: Cell, x: Ragged) -> Path:
    """Which code ``unroll`` takes for this cell and input.

    kernel: the cell's compiled programs, for float32 and float64 on the CPU. torch: torch's fused kernels, for the
    cells that it has, elsewhere. reference: the cell's Python step by step. Raises InputError for a cell with an
    operation that cells may not use.
    """
    trace(cell)
    if _compiled(x.values):
        return "kernel"
    return "torch" if cell in torch_kernels.KERNELS and x.values.is_floating_point() else "reference"


def _compiled(values: Tensor) -> bool:
    # Transforms and tracers of torch hand in stand-ins, which have no memory to run on.
    plain = type(values) in (Tensor, torch.nn.Parameter) and not torch._C._functorch.is_functorch_wrapped_tensor(values)
    usual = values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)
    return plain and usual and values.layout == torch.strided and not torch.is_autocast_enabled("cpu")


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
    runs = {"kernel": op.unroll, "torch": torch_kernels.unroll, "reference": reference.unroll}
    return runs[path(cell, x)](cell, x, weight_ih, bias_ih, params, initial, reverse)
