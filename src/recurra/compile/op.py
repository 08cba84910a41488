"""The compiled kernels under autograd.

The first derivative is the compiled backward program. Where a derivative of that is wanted (``create_graph=True``) the
backward pass runs through the reference, which torch can differentiate any number of times.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import reference
from recurra.compile.cpu import Units, kernel
from recurra.compile.sums import gradient_sums
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
    # The cell's own order: a caller's may differ.
    rest = (*(params[name] for name in cell.params), *initial)
    tensors = [t for t in (x.values, weight_ih, bias_ih, *rest) if t is not None]
    if torch.is_grad_enabled() and any(t.requires_grad for t in tensors):
        y, *finals = _Unroll.apply(  # type: ignore[no-untyped-call]
            cell, x.layout, reverse, x.values, weight_ih, bias_ih, *rest
        )
    else:
        y, finals, _ = forward(cell, x.layout, reverse, x.values, weight_ih, bias_ih, *split(cell, rest), keep=False)
    return x.with_values(y), tuple(finals)


def forward(
    cell: Cell,
    layout: Layout,
    reverse: bool,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    keep: bool,
) -> tuple[Tensor, list[Tensor], Tensor | None]:
    """Output [N, size], final states and, if ``keep``, what the backward pass starts from."""
    if x.dtype == weight_ih.dtype and bias_ih is not None:
        wx = torch.addmm(bias_ih, x, weight_ih.t())
    else:
        wx = torch.mm(x, weight_ih.t())
    run = kernel(cell, "train" if keep else "infer", x.dtype)
    units = units_of(cell, weight_ih, initial, run.lanes.count)
    letters = run.program.streams
    output = wx.new_empty(layout.steps, units.width(letters["output"]))
    streams = {"wx": wx, "output": output}
    saved = None
    if "saved" in letters:
        saved = streams["saved"] = wx.new_empty(layout.steps, units.width(letters["saved"]))
    carries = [(s.contiguous(), torch.empty_like(s, memory_format=torch.contiguous_format)) for s in initial]
    run(layout, reverse, units, streams, _vectors_contiguous(params), carries)
    return output, [after for _, after in carries], saved


def units_of(cell: Cell, weight_ih: Tensor, initial: Sequence[Tensor], lanes: int) -> Units:
    """H from the input weights, R from a state that has it."""
    hidden = weight_ih.shape[0] // len(cell.gates)
    sizes = zip(cell.state_sizes().values(), initial, strict=True)
    projected = next((s.shape[1] // size.factor for size, s in sizes if size.letter == "R"), 0)
    return Units(hidden, projected, lanes)


class _Unroll(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        cell: Cell,
        layout: Layout,
        reverse: bool,
        x: Tensor,
        weight_ih: Tensor,
        bias_ih: Tensor | None,
        *rest: Tensor,
    ) -> tuple[Tensor, ...]:
        params, initial = split(cell, rest)
        output, finals, saved = forward(cell, layout, reverse, x, weight_ih, bias_ih, params, initial, keep=True)
        ctx.save_for_backward(output, saved, x, weight_ih, bias_ih, *rest)
        ctx.cell, ctx.layout, ctx.reverse = cell, layout, reverse
        return output, *finals

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        output, saved, x, weight_ih, bias_ih, *rest = ctx.saved_tensors
        cell, layout, reverse, wanted = ctx.cell, ctx.layout, ctx.reverse, ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            found = through_reference(cell, layout, reverse, (x, weight_ih, bias_ih, *rest), wanted, grads)
        else:
            tensors = (x, weight_ih, bias_ih, *rest)
            found = backward(cell, layout, reverse, output, saved, tensors, grads, wanted)
        return None, None, None, *found


def split(cell: Cell, rest: Sequence[Tensor]) -> tuple[dict[str, Tensor], Sequence[Tensor]]:
    count = len(cell.params)
    return dict(zip(cell.params, rest[:count], strict=True)), rest[count:]


def _vectors_contiguous(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: p.contiguous() if p.ndim == 1 else p for name, p in params.items()}


def backward(
    cell: Cell,
    layout: Layout,
    reverse: bool,
    output: Tensor,
    saved: Tensor | None,
    tensors: Sequence[Any],
    grads: Sequence[Tensor],
    wanted: Sequence[bool],
) -> list[Tensor | None]:
    """The gradients for x, weight_ih, bias_ih, parameters and initial states; None for what is not wanted.

    output, saved: from ``forward``. tensors: what it was given, in that order. grads: of output and final states.
    """
    x, weight_ih, _, *rest = tensors
    params, initial = split(cell, rest)
    run = kernel(cell, "back", x.dtype)
    units = units_of(cell, weight_ih, initial, run.lanes.count)
    sums = gradient_sums(cell, units)
    grad_output, *grad_finals = grads
    made = x.new_empty(layout.steps, sums.width)
    streams = {"grad_output": _rows_contiguous(grad_output), "grads": made, "output": output}
    if saved is not None:
        streams["saved"] = saved
    if sums.needs_previous:
        streams["previous"] = previous(output, initial[0], layout, reverse)
    carries = [(g.contiguous(), torch.empty_like(g, memory_format=torch.contiguous_format)) for g in grad_finals]
    named = {name: streams[name] for name in run.program.streams}
    run(layout, reverse, units, named, _vectors_contiguous(params), carries)
    return [*sums(streams, x, weight_ih, params, wanted), *(after for _, after in carries)]


def previous(output: Tensor, initial: Tensor, layout: Layout, reverse: bool) -> Tensor:
    """[N, size]: the output one step before each, in the direction of reading; the initial state before the first."""
    shifted = torch.empty_like(output)
    if reverse:
        shifted[:-1] = output[1:]
        places = layout.offsets[1:] - 1
    else:
        shifted[1:] = output[:-1]
        places = layout.offsets[:-1]
    if layout.equal_length is None:
        filled = layout.lengths > 0
        places, initial = places[filled], initial[filled]
    return shifted.index_copy_(0, places, initial) if layout.steps else shifted


def _rows_contiguous(values: Tensor) -> Tensor:
    return values if values.shape[1] == 1 or values.stride(1) == 1 else values.contiguous()


def through_reference(
    cell: Cell,
    layout: Layout,
    reverse: bool,
    tensors: Sequence[Tensor | None],
    wanted: Sequence[bool],
    grads: Sequence[Tensor],
) -> list[Tensor | None]:
    x, weight_ih, bias_ih, *rest = tensors
    assert x is not None and weight_ih is not None
    given = [t for t in rest if t is not None]
    params, initial = split(cell, given)
    y, finals = reference.unroll(cell, Ragged.of_layout(x, layout), weight_ih, bias_ih, params, tuple(initial), reverse)
    needed = [t for t, want in zip(tensors, wanted, strict=True) if want and t is not None]
    found = torch.autograd.grad((y.values, *finals), needed, grads, create_graph=True, allow_unused=True)
    results = iter(found)
    return [next(results) if want else None for want in wanted]
