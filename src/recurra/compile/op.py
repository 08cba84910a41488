"""The compiled kernels under autograd.

The first derivative is the compiled backward program. Where a derivative of that is wanted (``create_graph=True``) the
backward pass runs through the reference, which torch can differentiate any number of times.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import reference
from recurra.compile.cpu import Frame, Kernel, Units, kernel
from recurra.compile.plan import plan
from recurra.compile.reference import units_of
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
    rest = (*(params[name] for name in cell.given), *initial)
    tensors = (x.values, weight_ih, bias_ih, *rest)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad for t in tensors):
        y, *finals = _Unroll.apply(  # type: ignore[no-untyped-call]
            cell, x.layout, reverse, *tensors
        )
    else:
        y, finals, _ = forward(cell, x.layout, reverse, x.values, weight_ih, bias_ih, params, initial, keep=False)
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
    name = "train" if keep else "infer"
    _, streams, finals = _forward(cell, name, layout, reverse, x, weight_ih, bias_ih, params, initial)
    return streams["output"], finals, streams.get("saved")


def _forward(
    cell: Cell,
    name: str,
    layout: Layout,
    reverse: bool,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: Sequence[Tensor],
) -> tuple["Bound", dict[str, Tensor], list[Tensor]]:
    """The program of this name, what it wrote, and the final states."""
    run = bound(cell, name, x.dtype, *units_of(cell, weight_ih, initial))
    streams = {s: x.new_empty(layout.steps, width) for s, width in run.widths.items() if s != "wx" or not run.room}
    if run.room:
        streams["wx"] = streams[run.room][:, : run.widths["wx"]]
    if bias_ih is None:
        torch.mm(x, weight_ih.t(), out=streams["wx"])
    else:
        torch.addmm(bias_ih, x, weight_ih.t(), out=streams["wx"])
    carries = [(s.contiguous(), s.new_empty(s.shape)) for s in initial]
    run.kernel(layout, reverse, run.frame, streams, params, carries)
    return run, streams, [after for _, after in carries]


@torch.no_grad()
def show(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: Sequence[Tensor],
    reverse: bool,
) -> dict[str, Ragged]:
    """Every state and gate after every step, by name, values [N, size]."""
    run, streams, _ = _forward(cell, "show", x.layout, reverse, x.values, weight_ih, bias_ih, params, initial)
    widths = [run.units.of(letter) for letter in run.kernel.program.streams["shown"]]
    found: dict[str, list[Tensor]] = {}
    for name, block in zip(plan(cell).what, torch.split(streams["shown"], widths, dim=1), strict=True):
        found.setdefault(name, []).append(block)
    return {name: x.with_values(torch.cat(blocks, dim=1)) for name, blocks in found.items()}


@dataclass(frozen=True)
class Bound:
    """A kernel for certain numbers of units.

    widths: of its streams. room: the stream whose rows ``wx``, or going back ``grads``, may lie in; empty if none is.
    """

    kernel: Kernel
    units: Units
    frame: Frame
    widths: dict[str, int]
    room: str


@cache
def bound(cell: Cell, name: str, dtype: torch.dtype, hidden: int, projected: int) -> Bound:
    run = kernel(cell, name, dtype)
    units = Units(hidden, projected, run.lanes.count)
    widths = {stream: units.width(letters) for stream, letters in run.program.streams.items()}
    overlay = run.code.schedule.may_overwrite
    if run.program.backward:
        rooms = [s for s in ("saved",) if s in widths and widths[s] >= widths["grads"] and overlay(s, "grads")]
    else:
        rooms = [s for s in ("saved", "output") if s in widths and widths[s] >= widths["wx"] and overlay("wx", s)]
    return Bound(run, units, run.frame(units), widths, next(iter(rooms), ""))


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
            again = torch._C._autograd._get_current_graph_task_keep_graph()
            found = backward(cell, layout, reverse, output, saved, tensors, grads, wanted, last=not again)
        return None, None, None, *found


def split(cell: Cell, rest: Sequence[Tensor]) -> tuple[dict[str, Tensor], Sequence[Tensor]]:
    count = len(cell.given)
    return dict(zip(cell.given, rest[:count], strict=True)), rest[count:]


def backward(
    cell: Cell,
    layout: Layout,
    reverse: bool,
    output: Tensor,
    saved: Tensor | None,
    tensors: Sequence[Any],
    grads: Sequence[Tensor],
    wanted: Sequence[bool],
    last: bool = False,
) -> list[Tensor | None]:
    """The gradients for x, weight_ih, bias_ih, parameters and initial states; None for what is not wanted.

    output, saved: from ``forward``. tensors: what it was given, in that order. grads: of output and final states.
    last: nobody needs ``saved`` again; its memory may be used for other things.
    """
    x, weight_ih, _, *rest = tensors
    params, initial = split(cell, rest)
    run = bound(cell, "back", x.dtype, *units_of(cell, weight_ih, initial))
    sums = gradient_sums(cell, run.units)
    grad_output, *grad_finals = grads
    streams = {"grad_output": _rows_contiguous(grad_output), "output": output}
    if saved is not None:
        streams["saved"] = saved
    if saved is not None and last and run.room and not sums.needs_saved:
        streams["grads"] = saved[:, : run.widths["grads"]]
    else:
        streams["grads"] = x.new_empty(layout.steps, run.widths["grads"])
    if sums.needs_previous:
        streams["previous"] = previous(output, initial[0], layout, reverse)
    carries = [(g.contiguous(), g.new_empty(g.shape)) for g in grad_finals]
    totals = x.new_zeros(len(layout), run.units.width(plan(cell).totals))
    named = {name: streams[name] for name in run.widths}
    run.kernel(layout, reverse, run.frame, named, params, [*carries, (totals, totals)] if totals.shape[1] else carries)
    streams["totals"] = totals
    return [*sums(streams, x, weight_ih, params, wanted), *(after for _, after in carries)]


def previous(output: Tensor, initial: Tensor, layout: Layout, reverse: bool) -> Tensor:
    """[N, size]: the output one step before each, in the direction of reading; the initial state before the first."""
    length = layout.equal_length
    if length:
        steps = output.view(len(layout), length, -1)
        parts = [steps[:, 1:], initial.unsqueeze(1)] if reverse else [initial.unsqueeze(1), steps[:, :-1]]
        return torch.cat(parts, 1).flatten(0, 1)
    shifted = torch.empty_like(output)
    if reverse:
        shifted[:-1] = output[1:]
        places = layout.offsets[1:] - 1
    else:
        shifted[1:] = output[:-1]
        places = layout.offsets[:-1]
    filled = layout.lengths > 0
    return shifted.index_copy_(0, places[filled], initial[filled])


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
