"""Compiled programs one after the other, called as one: a stream's step is a single call, whatever lies in between.

The weights are packed once, when a chain is made, and its rows keep their states in place. All arguments of a call but
the addresses of input and output are laid out beforehand, for certain rows and so many steps of each.
"""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from recurra.compile import objects
from recurra.compile.cpu import Arguments, Kernel, Units, Ways, dealt, kernel, kernel_without_cell, launch
from recurra.compile.ir import Function, Lanes
from recurra.compile.plan import add, affine
from recurra.compile.reference import units_of
from recurra.compile.shares import Shares, deal_equal
from recurra.compile.stepper import Affine, Layers, Recurrence, Residual, Stepper

ENTRY = "chain"
# Longer chunks go in pieces, so that what lies between two programs stays in the cache.
CHUNK = 128


class Link:
    """A program with its weights. states: [capacity, size] each, changed in place; none where rows do not remember.

    x, y, and besides: places among the arguments of the input's address, the output's, and of those of other inputs
    of the same width. takes: which links' outputs those are.
    """

    def __init__(
        self,
        run: Kernel,
        units: Units,
        weights: Mapping[str, Tensor],
        states: Sequence[Tensor] = (),
        takes: Sequence[int] = (),
    ):
        self.kernel, self.frame, self.states, self.takes = run, run.frame(units), tuple(states), tuple(takes)
        self.x, *self.besides, self.y = (run.at[f"stream.{name}"] for name in run.program.streams)
        enters, *_, leaves = run.program.streams.values()
        self.output_size = units.width(leaves)
        self._arguments = run.arguments(self.frame)
        self._packed = torch.empty(self.frame.packed * run.lanes.bytes, dtype=torch.uint8)
        self._weights = run.set_weights(self._arguments, self.frame, weights, self._packed.data_ptr())
        run.set_carries(self._arguments, [(s, s) for s in self.states])
        for at in (self.x, *self.besides):
            self._arguments[at + 1] = units.width(enters)
        self._arguments[self.y + 1] = self.output_size

    def new_arguments(self) -> Arguments:
        """All that do not depend on the rows."""
        return type(self._arguments).from_buffer_copy(self._arguments)

    def share(self, slots: Sequence[int], steps: int) -> tuple[Shares, Ways]:
        """The rows of these numbers, ``steps`` steps each; without memory every step is a row."""
        rows, length = (len(slots), steps) if self.states else (len(slots) * steps, 1)
        ways = self.kernel.ways(self.frame, rows, rows * length)
        shares, ways = dealt(deal_equal(rows, length, ways.own, False), ways)
        return replace(shares, rows=np.array(slots, dtype=np.int64)[shares.rows]) if self.states else shares, ways


class Chain(Stepper):
    """A stepper of compiled programs. Weights and states: float32 or float64, all alike, on the CPU."""

    def __init__(self, layers: Layers):
        self._links: list[Link] = []
        _put(layers, self._links)
        self._output_size, self._empty = self._links[-1].output_size, layers[0].tensors[0].new_empty
        self._call = Call(self._links, self._empty, 1)
        first = Call(self._links, self._empty, 1)
        first.aim((0,), 1)
        self.one = _one(first, self._empty(self._output_size))

    def __call__(self, x: Tensor, slots: Sequence[int], steps: int) -> Tensor:
        y = self._empty(x.shape[0], self._output_size)
        piece = CHUNK if len(slots) == 1 else max(1, steps)
        for start in range(0, steps, piece):
            length = min(piece, steps - start)
            if len(slots) * length > self._call.rows:
                self._call = Call(self._links, self._empty, len(slots) * length)
            self._call.aim(tuple(slots), length)
            done = start * x.itemsize
            self._call(x.data_ptr() + done * x.shape[1], y.data_ptr() + done * self._output_size)
        return y


def _put(layers: Layers, links: list[Link]) -> None:
    """Adds the layers' links: of one without memory a program, of one with a cell two, of which the first makes ``wx``,
    and of residual ones those of their layers and a sum."""
    for layer in layers:
        match layer:
            case Affine():
                links.append(_affine(layer.weight, layer.bias))
            case Recurrence():
                hidden, projected = units_of(layer.cell, layer.weight_ih, layer.states)
                run = kernel(layer.cell, "infer", layer.weight_ih.dtype)
                links.append(_affine(layer.weight_ih, layer.bias_ih))
                links.append(Link(run, Units(hidden, projected, run.lanes.count), layer.params, layer.states))
            case Residual():
                below = len(links) - 1
                _put(layer.layers, links)
                run = kernel_without_cell(add, layer.tensors[0].dtype)
                links.append(Link(run, Units(links[below].output_size, 0, run.lanes.count), {}, takes=[below]))


def _affine(weight: Tensor, bias: Tensor | None) -> Link:
    run = kernel_without_cell(affine, weight.dtype)
    units = Units(weight.shape[0], 0, run.lanes.count, weight.shape[1])
    bias = weight.new_zeros(weight.shape[0]) if bias is None else bias
    return Link(run, units, {"weight": weight, "bias": bias})


def _one(call: "Call", output: Tensor) -> Callable[[Tensor], Tensor]:
    """What ``Stepper.one`` is. output: like what it gives."""
    entry, table, like = call.entry, call.table, torch.empty_like

    # The call holds what the table points to: it must live as long as this function.
    def one(x: Tensor, *, _: Call = call) -> Tensor:
        y = like(output)
        entry(table, x.data_ptr(), y.data_ptr())
        return y

    return one


class Call:
    """``call(x, y)``: addresses of the input [B*T, I] and of the output [B*T, output_size], row after row. Final.

    rows: the most B*T there is room for. Where one thread does it all, ``entry(table, x, y)`` is the same with less
    Python around it.
    """

    def __init__(self, links: Sequence[Link], empty: Callable[..., Tensor], rows: int):
        self.links, self.rows = links, rows
        self._arguments = [link.new_arguments() for link in links]
        self._kept: list[Tensor] = []
        for link, arguments in zip(links, self._arguments, strict=True):
            self._kept.append(empty(link.frame.scratch(rows)))
            link.kernel.set_buffers(arguments, link.frame, rows, self._kept[-1].data_ptr())
        for below, above in pairwise(range(len(links))):
            self._kept.append(empty(rows * links[below].output_size))
            address = self._kept[-1].data_ptr()
            self._arguments[below][links[below].y] = self._arguments[above][links[above].x] = address
        for link, arguments in zip(links, self._arguments, strict=True):
            for at, below in zip(link.besides, link.takes, strict=True):
                arguments[at] = self._arguments[below][links[below].y]
        self._ends = (self._arguments[0], links[0].x), (self._arguments[-1], links[-1].y)
        numbers = [len(links), *(ctypes.addressof(block) + 8 * at for block, at in self._ends)]
        for link, arguments in zip(links, self._arguments, strict=True):
            numbers += [link.kernel.address, ctypes.addressof(arguments)]
        self._table = (ctypes.c_int64 * len(numbers))(*numbers)
        self._aim: tuple[tuple[int, ...], int, int] = (), 0, 0
        self.entry, self.table = entry(), ctypes.addressof(self._table)

    def aim(self, slots: tuple[int, ...], steps: int) -> None:
        """At ``steps`` steps of the rows of these numbers; mostly they are the same again."""
        wanted = slots, steps, torch.get_num_threads()
        if self._aim == wanted:
            return
        self._shares = [link.share(slots, steps) for link in self.links]
        for arguments, (shares, _) in zip(self._arguments, self._shares, strict=True):
            arguments[0:8] = [0, 0, *shares.numbers]
        self._alone = all(ways.threads == 1 for _, ways in self._shares)
        self._aim = wanted

    def __call__(self, x: int, y: int) -> None:
        if self._alone:
            self.entry(self.table, x, y)
            return
        for (block, at), address in zip(self._ends, (x, y), strict=True):
            block[at] = address
        for link, arguments, (_, ways) in zip(self.links, self._arguments, self._shares, strict=True):
            launch(link.kernel, arguments, ways)


@cache
def entry() -> Callable[[int, int, int], None]:
    """``chain(table, x, y)``, which releases the GIL.

    table: how many programs; where the addresses x and y are to be put; each program's function and arguments.
    """
    f = Function(f"void @{ENTRY}(ptr %table, ptr %x, ptr %y)", Lanes("float", 1))
    count = f.integer("%table", "0")

    def pointer(index: str) -> str:
        return f.let(f"load ptr, ptr {f.at('%table', index, 'i64')}")

    f.do(f"store ptr %x, ptr {pointer('1')}")
    f.do(f"store ptr %y, ptr {pointer('2')}")
    with f.loop("0", count) as i:
        place = f.add(f.mul(i, "2"), "3")
        f.do(f"call void {pointer(place)}(ptr {pointer(f.add(place, '1'))})")
    f.do("ret void")
    return objects.function(f.text(), ENTRY, 3)
