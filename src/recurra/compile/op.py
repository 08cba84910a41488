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
from recurra.compile.plan import Column, plan
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
        y, finals, _ = forward(cell, x.layout, reverse, x.values, weight_ih, bias_ih, *_split(cell, rest), keep=False)
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
        params, initial = _split(cell, rest)
        output, finals, saved = forward(cell, layout, reverse, x, weight_ih, bias_ih, params, initial, keep=True)
        ctx.save_for_backward(output, saved, x, weight_ih, bias_ih, *rest)
        ctx.cell, ctx.layout, ctx.reverse = cell, layout, reverse
        return output, *finals

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        output, saved, x, weight_ih, bias_ih, *rest = ctx.saved_tensors
        cell, layout, reverse, wanted = ctx.cell, ctx.layout, ctx.reverse, ctx.needs_input_grad[3:]
        if torch.is_grad_enabled():
            found = _through_reference(cell, layout, reverse, (x, weight_ih, bias_ih, *rest), wanted, grads)
        else:
            back = _Backward(cell, layout, reverse, x, weight_ih, rest)
            back.run(output, saved, grads)
            found = back.gradients(wanted)
        return None, None, None, *found


def _split(cell: Cell, rest: Sequence[Tensor]) -> tuple[dict[str, Tensor], Sequence[Tensor]]:
    count = len(cell.params)
    return dict(zip(cell.params, rest[:count], strict=True)), rest[count:]


def _vectors_contiguous(params: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: p.contiguous() if p.ndim == 1 else p for name, p in params.items()}


class _Backward:
    """One backward pass: the program, then the gradients as products over all steps."""

    def __init__(
        self, cell: Cell, layout: Layout, reverse: bool, x: Tensor, weight_ih: Tensor, rest: Sequence[Tensor]
    ):
        self.cell, self.layout, self.reverse, self.x, self.weight_ih = cell, layout, reverse, x, weight_ih
        self.params, self.initial = _split(cell, rest)
        self.plan, self.kernel = plan(cell), kernel(cell, "back", x.dtype)
        self.letters = self.kernel.program.streams
        self.units = units_of(cell, weight_ih, self.initial, self.kernel.lanes.count)
        self.streams: dict[str, Tensor] = {}

    def run(self, output: Tensor, saved: Tensor | None, grads: Sequence[Tensor]) -> None:
        grad_output, *grad_finals = grads
        grads_width = self.units.width(self.letters["grads"])
        self.streams = {
            "grad_output": _rows_contiguous(grad_output),
            "grads": self.x.new_empty(self.layout.steps, grads_width),
        }
        if "output" in self.letters:
            self.streams["output"] = output
        if "saved" in self.letters:
            assert saved is not None
            self.streams["saved"] = saved
        entered = {c.stream for p in self.plan.products for c in p.inputs}
        if "previous" in self.letters or "previous" in entered:
            self.streams["previous"] = previous(output, self.initial[0], self.layout, self.reverse)
        carries = [(g.contiguous(), torch.empty_like(g, memory_format=torch.contiguous_format)) for g in grad_finals]
        named = {name: self.streams[name] for name in self.letters}
        self.kernel(self.layout, self.reverse, self.units, named, _vectors_contiguous(self.params), carries)
        self.grad_initial = [after for _, after in carries]

    def gradients(self, wanted: Sequence[bool]) -> list[Tensor | None]:
        """For x, weight_ih, bias_ih, the parameters and the initial states; None for what is not wanted."""
        to_x, to_weight, to_bias, *to_rest = wanted
        found: list[Tensor | None] = [
            self._input() if to_x else None,
            self._weight(self.plan.wx, self.x, self.weight_ih) if to_weight else None,
            self._sum(self.plan.wx, self.weight_ih.shape[0]) if to_bias else None,
        ]
        for (name, p), want in zip(self.params.items(), to_rest, strict=False):
            found.append(self._parameter(name, p) if want else None)
        return [*found, *self.grad_initial]

    def _parameter(self, name: str, p: Tensor) -> Tensor:
        if p.ndim == 1:
            return self._sum(self.plan.vectors[name], p.shape[0])
        total: Tensor | None = None
        for product in self.plan.products:
            if product.matrix == name:
                parts = [
                    self._weight(product.outputs, self._columns(column, count), p[:, : self._width(column, count)])
                    for _, column, count in runs(product.inputs)
                ]
                whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
                total = whole if total is None else total + whole
        return torch.zeros_like(p) if total is None else total

    def _input(self) -> Tensor:
        found: Tensor | None = None
        hidden = self.units.hidden
        for block, column, count in runs(self.plan.wx):
            grad, weight = self._columns(column, count), self.weight_ih[block * hidden : (block + count) * hidden]
            found = torch.mm(grad, weight) if found is None else found.addmm_(grad, weight)
        return torch.zeros_like(self.x) if found is None else found

    def _weight(self, outputs: Sequence[Column | None], entered: Tensor, like: Tensor) -> Tensor:
        """[rows, columns] as ``like``: the gradient of what came out times what went in, summed over all steps."""
        found = runs(outputs)
        if len(found) == 1 and found[0][2] == len(outputs):
            _, column, count = found[0]
            return torch.mm(self._columns(column, count).t(), entered)
        total = like.new_zeros(like.shape)
        rows = like.shape[0] // len(outputs)
        for block, column, count in found:
            part = total[block * rows : (block + count) * rows]
            torch.mm(self._columns(column, count).t(), entered, out=part)
        return total

    def _sum(self, columns: Sequence[Column | None], size: int) -> Tensor:
        total = self.x.new_zeros(size)
        rows = size // len(columns)
        for block, column, count in runs(columns):
            torch.sum(self._columns(column, count), 0, out=total[block * rows : (block + count) * rows])
        return total

    def _columns(self, column: Column, count: int) -> Tensor:
        """Neighbouring blocks of a stream."""
        start = self.units.width(self._letters(column.stream)[: column.index])
        return self.streams[column.stream][:, start : start + self._width(column, count)]

    def _width(self, column: Column, count: int) -> int:
        return self.units.width(self._letters(column.stream)[column.index : column.index + count])

    def _letters(self, stream: str) -> tuple[str, ...]:
        # The output's previous value may be needed by a product alone.
        return self.letters["grad_output" if stream in ("previous", "output") else stream]


def runs(columns: Sequence[Column | None]) -> list[tuple[int, Column, int]]:
    """Neighbours in a stream taken together: (first block, its column, how many)."""
    found: list[tuple[int, Column, int]] = []
    for block, column in enumerate(columns):
        if column is None:
            continue
        if found:
            first, start, count = found[-1]
            if block == first + count and column == Column(start.stream, start.index + count):
                found[-1] = first, start, count + 1
                continue
        found.append((block, column, 1))
    return found


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


def _through_reference(
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
    params, initial = _split(cell, given)
    y, finals = reference.unroll(
        cell, Ragged.of_layout(x, layout), weight_ih, bias_ih, params, tuple(initial), reverse
    )
    needed = [t for t, want in zip(tensors, wanted, strict=True) if want and t is not None]
    found = torch.autograd.grad((y.values, *finals), needed, grads, create_graph=True, allow_unused=True)
    results = iter(found)
    return [next(results) if want else None for want in wanted]
