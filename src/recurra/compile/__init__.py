"""From a cell to a whole sequence: the seam between the layers above and the code that runs them."""

from collections.abc import Iterable, Mapping
from typing import Literal

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import library, op, reference, torch_kernels
from recurra.compile.chain import Chain
from recurra.compile.stepper import Affine, Layers, Recurrence, Stepper, Unrolled
from recurra.compile.trace import trace
from recurra.sequences import Ragged

__all__ = ["Affine", "Recurrence", "Stepper", "path", "stepper", "unroll"]

Path = Literal["kernel", "torch", "reference"]


def path(cell: Cell, x: Ragged) -> Path:
    """Which code ``unroll`` takes for this cell and input.

    kernel: the cell's compiled programs, for float32 and float64 on the CPU. torch: torch's fused kernels, for the
    cells that it has, elsewhere. reference: the cell's Python step by step. Raises InputError for a cell with an
    operation that cells may not use.
    """
    trace(cell)
    return _choose(cell, [x.values])


def _choose(cell: Cell, tensors: Iterable[Tensor]) -> Path:
    """tensors: all that enter, the input's values first."""
    values, *_ = tensors = list(tensors)
    # Transforms of torch hand in stand-ins, which have no memory to run on.
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    if transformed and any(torch._C._functorch.is_functorch_wrapped_tensor(t) for t in tensors):
        return "reference"
    if _compilable(values) and all(type(t) in (Tensor, torch.nn.Parameter) for t in tensors):
        return "kernel"
    return "torch" if cell in torch_kernels.KERNELS and values.is_floating_point() else "reference"


def _compilable(values: Tensor) -> bool:
    usual = values.device.type == "cpu" and values.dtype in (torch.float32, torch.float64)
    return usual and values.layout == torch.strided and not torch.is_autocast_enabled("cpu")


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
    if torch.compiler.is_compiling() and _compilable(x.values):
        return library.unroll(cell, x, weight_ih, bias_ih, params, initial, reverse)
    runs = {"kernel": op.unroll, "torch": torch_kernels.unroll, "reference": reference.unroll}
    tensors = [x.values, weight_ih, *([] if bias_ih is None else [bias_ih]), *params.values(), *initial]
    return runs[_choose(cell, tensors)](cell, x, weight_ih, bias_ih, params, initial, reverse)


def stepper(layers: Layers) -> Stepper:
    """Layers, each above the one before, over rows that go on step by step: compiled for what ``path`` calls kernel."""
    tensors = [t for layer in layers for t in layer.tensors]
    alike = all(_compilable(t) and t.dtype == tensors[0].dtype for t in tensors)
    return Chain(layers) if alike else Unrolled(layers, unroll)
