"""A cell's compiled programs and how they are called: packing, buffers, addresses."""

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock
from typing import TypeAlias

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import gemm, objects, threads
from recurra.compile.graph import LETTERS, Product
from recurra.compile.ir import Lanes
from recurra.compile.llvm import ENTRY, GIVEN, emit
from recurra.compile.plan import Program, affine, plan
from recurra.compile.shares import Shares, deal
from recurra.sequences.layout import Layout

SCALARS = {torch.float32: "float", torch.float64: "double"}
# Below this many multiplications a second thread costs more than it saves.
WORTH_A_THREAD = 200_000
Arguments: TypeAlias = "ctypes.Array[ctypes.c_int64]"
_lock = Lock()


@dataclass(frozen=True)
class Units:
    """H, R and, for a program that reads the input itself, I; and each as whole vectors."""

    hidden: int
    projected: int
    lanes: int
    inputs: int = 0

    def of(self, letter: str) -> int:
        return {"H": self.hidden, "R": self.projected, "I": self.inputs}[letter]

    def padded(self, letter: str) -> int:
        return -(-self.of(letter) // self.lanes) * self.lanes

    def width(self, letters: Sequence[str]) -> int:
        return sum(self.of(x) for x in letters)

    def stride(self, letters: Sequence[str]) -> int:
        """Of a buffer, which products write by whole panels."""
        panel = 2 * self.lanes
        return -(-sum(self.padded(x) for x in letters) // panel) * panel


@dataclass(frozen=True)
class Packing:
    """How a matrix becomes panels. source: letters of the blocks that enter the product."""

    product: Product
    source: tuple[str, ...]
    units: Units

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Panels, depth, panel width."""
        panel = 2 * self.units.lanes
        columns = self.product.blocks * self.units.padded(self.product.letter)
        return -(-columns // panel), sum(self.units.padded(x) for x in self.source), panel

    @cached_property
    def exact(self) -> bool:
        """Whether nothing has to be padded."""
        inner, outer = self.source[0], self.product.letter
        same = all(self.units.of(x) == self.units.padded(x) for x in (inner, outer))
        return same and self.product.blocks * self.units.of(outer) == self.shape[0] * self.shape[2]

    def __call__(self, matrix: Tensor) -> Tensor:
        """[panels, depth, panel width]: what enters goes down, what comes out across, both padded with zeros.

        matrix: [rows, columns]; its transpose is packed for the forward product, itself for the transposed one.
        """
        weights = matrix if self.product.transposed else matrix.t()
        panels, depth, panel = self.shape
        if not self.exact:
            size, padded = self.units.of(self.product.letter), self.units.padded(self.product.letter)
            inner, blocks = self.units.of(self.source[0]), self.product.blocks
            wide = weights.new_zeros(len(self.source), depth // len(self.source), panels * panel)
            view = wide[:, :, : blocks * padded].view(len(self.source), -1, blocks, padded)
            view[:, :inner, :, :size] = weights.reshape(len(self.source), inner, blocks, size)
            weights = wide.flatten(0, 1)
        return weights.view(depth, panels, panel).transpose(0, 1).contiguous()


@dataclass(frozen=True)
class Frame:
    """What all calls with the same units share. numbers: of the arguments that are known.

    packings: of each product. buffers: place among the arguments and stride. row: elements of all buffers for one row.
    work: about how many multiplications a row's step takes.
    """

    numbers: bytes
    packings: tuple[Packing, ...]
    buffers: tuple[tuple[int, int], ...]
    row: int
    work: int


class Kernel:
    """One program for one type of numbers, compiled. Final."""

    def __init__(self, program: Program, lanes: Lanes):
        self.program, self.lanes = program, lanes
        self.code = emit(program, lanes)
        self.function = objects.function(self.code.text, ENTRY, beside=gemm.module(lanes))
        self.address = ctypes.cast(self.function, ctypes.c_void_p).value or 0  # type: ignore[arg-type]
        self._frames: dict[Units, Frame] = {}
        self._kind = ctypes.c_int64 * len(self.code.arguments)
        self.at = {name: i for i, name in enumerate(self.code.arguments)}
        self._streams = {stream: self.at[f"stream.{stream}"] for stream in program.streams}
        self._carries = [self.at[f"carry{k}.in"] for k in range(len(program.carries))]
        self._given = {i: name.partition(".")[2] for name, i in self.at.items() if name.startswith(GIVEN)}
        matrices = (self.at[f"matrix.{k}"] for k in range(len(self.code.products)))
        self._weights = [*matrices, *self._given]

    def __call__(
        self,
        layout: Layout,
        reverse: bool,
        units: Units,
        streams: Mapping[str, Tensor],
        params: Mapping[str, Tensor],
        carries: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """streams: [N, width] by name, rows apart by their stride. carries: before and after, [B, width], each."""
        frame = self.frame(units)
        shares, count = share(layout, reverse, frame.work)
        arguments = self.arguments(frame)
        arguments[1:7] = [*shares.numbers]
        weights = self.set_weights(arguments, frame, params)
        scratch = self.set_buffers(arguments, frame, len(layout), carries[0][0].new_empty)
        self.set_carries(arguments, carries)
        for name, stream in streams.items():
            i = self._streams[name]
            arguments[i], arguments[i + 1] = stream.data_ptr(), stream.stride(0)
        launch(self, arguments, count)
        del weights, scratch  # until here they had to live

    # --- what arguments are made of ---

    def arguments(self, frame: Frame) -> Arguments:
        """New ones, with the numbers that are known."""
        return self._kind.from_buffer_copy(frame.numbers)

    def set_buffers(self, arguments: Arguments, frame: Frame, rows: int, empty: Callable[[int], Tensor]) -> Tensor:
        """Buffers for so many rows, in one tensor, which is returned: it must live as long as the call."""
        scratch = empty(rows * frame.row + 2 * self.lanes.count)
        start, itemsize = scratch.data_ptr(), scratch.itemsize
        for i, size in frame.buffers:
            arguments[i] = start
            start += rows * size * itemsize
        return scratch

    def set_weights(self, arguments: Arguments, frame: Frame, params: Mapping[str, Tensor]) -> list[Tensor]:
        """The weights, packed, which are returned: they must live as long as the call."""
        weights = [packing(params[packing.product.matrix]) for packing in frame.packings]
        weights += [params[name].contiguous() for name in self._given.values()]
        for i, w in zip(self._weights, weights, strict=True):
            arguments[i] = w.data_ptr()
        return weights

    def set_carries(self, arguments: Arguments, carries: Sequence[tuple[Tensor, Tensor]]) -> None:
        """Where the states before and after lie; they may be the same."""
        for i, (before, after) in zip(self._carries, carries, strict=True):
            arguments[i], arguments[i + 1] = before.data_ptr(), after.data_ptr()

    def frame(self, units: Units) -> Frame:
        """What all calls with these units share."""
        frame = self._frames.get(units)
        if frame is None:
            frame = self._frames[units] = self._frame(units)
        return frame

    def _frame(self, units: Units) -> Frame:
        code, buffers = self.code, self.code.schedule.buffers
        packings = tuple(Packing(m.product, buffers[m.source], units) for m in code.products)
        known = {letter: units.of(letter) for letter in LETTERS}
        known |= {f"{letter}.padded": units.padded(letter) for letter in LETTERS}
        strides = {name: units.stride(letters) for name, letters in buffers.items()}
        known |= {f"buffer.{name}.stride": stride for name, stride in strides.items()}
        for i, packing in enumerate(packings):
            known |= {f"matrix.{i}.count": packing.shape[0], f"matrix.{i}.depth": packing.shape[1]}
        numbers = bytes(self._kind(*(known.get(name, 0) for name in code.arguments)))
        places = tuple((self.at[f"buffer.{name}"], stride) for name, stride in strides.items())
        work = sum(math.prod(packing.shape) for packing in packings) + units.stride(["H"]) * 16
        return Frame(numbers, packings, places, sum(strides.values()), work)


def threads_for(work: int) -> int:
    """How many threads about so many multiplications are worth."""
    return torch.get_num_threads() if work >= WORTH_A_THREAD else 1


def share(layout: Layout, reverse: bool, work: int) -> tuple[Shares, int]:
    """The rows as they are dealt out, and how many threads take them. work: of a frame."""
    wanted = threads_for(work * layout.steps)
    shares = deal(layout, wanted, reverse)
    return shares, min(shares.count, wanted)


def launch(kernel: Kernel, arguments: Arguments, count: int) -> None:
    """Runs a kernel on this many threads. Every call of compiled code, but for those of a chain, goes through here."""
    counter = ctypes.c_int64(0)
    arguments[0] = ctypes.addressof(counter) if count > 1 else 0
    threads.run(kernel.function, ctypes.addressof(arguments), count)


def kernel(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """The compiled program of this name: infer, train or back. Raises InputError as ``trace``."""
    with _lock:
        return _known(cell, name, dtype)


def affine_kernel(dtype: torch.dtype) -> Kernel:
    """The compiled program of a matrix product plus a bias."""
    with _lock:
        return _affine(dtype)


@cache
def _known(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    return build(cell, name, dtype)


def build(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """As ``kernel``, made anew: from the cache on the disk if it is there."""
    programs = plan(cell)
    return Kernel(getattr(programs, name), objects.widest(SCALARS[dtype]))


@cache
def _affine(dtype: torch.dtype) -> Kernel:
    return Kernel(affine(), objects.widest(SCALARS[dtype]))
