"""From a cell to a whole sequence: the seam between the layers above and the code that runs them."""

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import library, op, reference, torch_kernels
from recurra.compile.chain import Chain
from recurra.compile.choice import Choice, Path, Ran, choose, note, unfit, watch, without_kernels
from recurra.compile.frames import unroll_frames
from recurra.compile.stepper import Affine, Layers, Recurrence, Residual, Stepper, Unrolled
from recurra.compile.trace import trace
from recurra.errors import InputError
from recurra.sequences import Ragged

__all__ = [
    "Affine",
    "Choice",
    "Path",
    "Ran",
    "Recurrence",
    "Residual",
    "Stepper",
    "path",
    "show",
    "stepper",
    "unroll",
    "unroll_frames",
    "watch",
    "without_kernels",
]


def path(cell: Cell, x: Ragged) -> Path:
    """Which code ``unroll`` takes for this cell and input.

    kernel: the cell's compiled programs, for float32 and float64 on the CPU. torch: torch's fused kernels, for the
    cells that it has, elsewhere. reference: the cell's Python step by step. Raises InputError for a cell with an
    operation that cells may not use.
    """
    trace(cell)
    return choose(cell, [x.values]).path


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
    compiling = torch.compiler.is_compiling()
    if compiling and not unfit(x.values):
        return library.unroll(cell, x, weight_ih, bias_ih, params, initial, reverse)
    tensors = [x.values, weight_ih, *([] if bias_ih is None else [bias_ih]), *params.values(), *initial]
    choice = choose(cell, tensors)
    if not compiling:
        note(cell, choice, x.layout, reverse, tensors, initial)
    runs = {"kernel": op.unroll, "torch": torch_kernels.unroll, "reference": reference.unroll}
    return runs[choice.path](cell, x, weight_ih, bias_ih, params, initial, reverse)


def show(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool = False,
) -> dict[str, Ragged]:
    """Every state, and every gate's value, after each step, by name; without gradients. Arguments as for ``unroll``.

    Raises InputError for what only compiled kernels can show, and none can run.
    """
    if reason := unfit(x.values):
        raise InputError(f"states and gates can be shown for float32 and float64 on the CPU; {reason}")
    return op.show(cell, x, weight_ih, bias_ih, params, initial, reverse)


def stepper(layers: Layers) -> Stepper:
    """Layers, each above the one before, over rows that go on step by step: compiled for what ``path`` calls kernel."""
    tensors = [t for layer in layers for t in layer.tensors]
    alike = all(not unfit(t) and t.dtype == tensors[0].dtype for t in tensors)
    return Chain(layers) if alike else Unrolled(layers, unroll)
