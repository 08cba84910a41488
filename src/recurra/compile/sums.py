"""The gradients of weights and input, from what the backward program wrote at every step: products over all steps."""

from collections.abc import Mapping, Sequence
from functools import cache

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile.cpu import Units
from recurra.compile.plan import Column, plan

# Neighbouring blocks of a weight that lie side by side in a stream: [rows of the weight], stream, [columns].
Run = tuple[slice, str, slice]


@cache
def gradient_sums(cell: Cell, units: Units) -> "GradientSums":
    """Those of a cell, for H and R."""
    return GradientSums(cell, units)


class GradientSums:
    """width: of the stream that the backward program writes.

    needs_previous: whether the shifted output is read, here or by that program. needs_saved: what is kept, here.
    """

    def __init__(self, cell: Cell, units: Units):
        planned = plan(cell)
        streams = planned.back.streams
        # The output's previous value may be needed by a product alone.
        self._letters = streams | dict.fromkeys(("previous", "output"), streams["grad_output"])
        self._letters["totals"] = planned.totals
        self._units, self.width = units, units.width(streams["grads"])
        entered = {c.stream for p in planned.products for c in p.inputs}
        self.needs_previous = "previous" in streams or "previous" in entered
        self.needs_saved = "saved" in entered
        self._wx = self._runs(planned.wx, "H")
        sizes = cell.param_sizes()
        self._known = sizes.keys()  # what is random has no gradient
        self._vectors = {name: self._runs(c, sizes[name][0].letter) for name, c in planned.vectors.items()}
        self._matrices: dict[str, list[tuple[list[Run], list[Run]]]] = {}
        for p in planned.products:
            rows, columns = sizes[p.matrix]
            both = self._runs(p.outputs, rows.letter), self._runs(p.inputs, columns.letter)
            self._matrices.setdefault(p.matrix, []).append(both)

    def __call__(
        self,
        streams: Mapping[str, Tensor],
        x: Tensor,
        weight_ih: Tensor,
        params: Mapping[str, Tensor],
        wanted: Sequence[bool],
    ) -> list[Tensor | None]:
        """For x, weight_ih, its bias and the parameters; None for what is not wanted."""
        to_x, to_weight, to_bias, *to_params = wanted
        found = [
            self._input(streams, weight_ih, x) if to_x else None,
            self._weight(self._wx, streams, x, weight_ih) if to_weight else None,
            self._sum(self._wx, streams, weight_ih[:, 0]) if to_bias else None,
        ]
        for (name, p), want in zip(params.items(), to_params, strict=False):
            found.append(self._parameter(name, p, streams) if want and name in self._known else None)
        return found

    def _input(self, streams: Mapping[str, Tensor], weight_ih: Tensor, x: Tensor) -> Tensor:
        found: Tensor | None = None
        for run in self._wx:
            grad, weight = self._columns(streams, run), weight_ih[run[0]]
            found = torch.mm(grad, weight) if found is None else found.addmm_(grad, weight)
        return torch.zeros_like(x) if found is None else found

    def _parameter(self, name: str, p: Tensor, streams: Mapping[str, Tensor]) -> Tensor:
        if p.ndim == 1:
            return self._sum(self._vectors[name], streams, p)
        total: Tensor | None = None
        for outputs, inputs in self._matrices.get(name, []):
            parts = [self._weight(outputs, streams, self._columns(streams, run), p[:, run[0]]) for run in inputs]
            whole = parts[0] if len(parts) == 1 else torch.cat(parts, 1)
            total = whole if total is None else total + whole
        return torch.zeros_like(p) if total is None else total

    def _weight(self, outputs: list[Run], streams: Mapping[str, Tensor], entered: Tensor, like: Tensor) -> Tensor:
        """[rows, columns] as ``like``: the gradient of what came out times what went in, summed over all steps."""
        if len(outputs) == 1 and outputs[0][0] == slice(0, like.shape[0]):
            return _product(self._columns(streams, outputs[0]), entered)
        total = like.new_zeros(like.shape)
        for run in outputs:
            total[run[0]] = _product(self._columns(streams, run), entered)
        return total

    def _sum(self, outputs: list[Run], streams: Mapping[str, Tensor], like: Tensor) -> Tensor:
        if len(outputs) == 1 and outputs[0][0] == slice(0, like.shape[0]):
            return self._columns(streams, outputs[0]).sum(0)
        total = like.new_zeros(like.shape)
        for run in outputs:
            torch.sum(self._columns(streams, run), 0, out=total[run[0]])
        return total

    @staticmethod
    def _columns(streams: Mapping[str, Tensor], run: Run) -> Tensor:
        _, stream, columns = run
        whole = streams[stream]
        return whole if columns.stop - columns.start == whole.shape[1] else whole[:, columns]

    def _runs(self, columns: Sequence[Column | None], letter: str) -> list[Run]:
        size, found = self._units.of(letter), list[Run]()
        for block, column in enumerate(columns):
            if column is None:
                continue
            start = self._units.width(self._letters[column.stream][: column.index])
            run = slice(block * size, (block + 1) * size), column.stream, slice(start, start + size)
            if found:
                rows, stream, before = found[-1]
                if rows.stop == run[0].start and stream == run[1] and before.stop == start:
                    run = slice(rows.start, run[0].stop), stream, slice(before.start, run[2].stop)
                    found.pop()
            found.append(run)
        return found


def _product(came: Tensor, entered: Tensor) -> Tensor:
    """came: [N, rows]. entered: [N, columns]. Returns [rows, columns], summed over N.

    A product of few rows and many columns costs less than its transpose, by nearly half where inputs are narrow.
    """
    return torch.mm(entered.t(), came).t() if entered.shape[1] < came.shape[1] else torch.mm(came.t(), entered)
