"""A cell's compiled programs and how they are called: packing, buffers, addresses."""

import ctypes
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from threading import Lock

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import objects, threads
from recurra.compile.graph import Product
from recurra.compile.ir import Lanes
from recurra.compile.llvm import ENTRY, emit
from recurra.compile.plan import Program, plan
from recurra.compile.shares import Shares, deal
from recurra.sequences.layout import Layout

SCALARS = {torch.float32: "float", torch.float64: "double"}
# Below this many multiplications a second thread costs more than it saves.
WORTH_A_THREAD = 200_000
_lock = Lock()


@dataclass(frozen=True)
class Units:
    """H and R, and both as whole vectors."""

    hidden: int
    projected: int
    lanes: int

    def of(self, letter: str) -> int:
        return self.hidden if letter == "H" else self.projected

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
    """What all calls with the same H and R share. numbers: of the arguments that are known.

    packings: of each product. buffers: place among the arguments and stride. row: elements of all buffers for one row.
    work: multiplications of one step, about.
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
        self.function = objects.function(self.code.text, ENTRY)
        self._frames: dict[Units, Frame] = {}
        self._kind = ctypes.c_int64 * len(self.code.arguments)
        self._at = {name: i for i, name in enumerate(self.code.arguments)}
        self._streams = {stream: self._at[f"stream.{stream}"] for stream in program.streams}
        self._carries = [self._at[f"carry{k}.in"] for k in range(len(program.carries))]
        self._matrices = [self._at[f"matrix.{k}"] for k in range(len(self.code.products))]
        self._vectors = [(name[7:], i) for name, i in self._at.items() if name.startswith("vector.")]

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
        arguments = self._kind.from_buffer_copy(frame.numbers)
        # The first arguments, in their order.
        counter = ctypes.c_int64(0)
        arguments[0:7] = [ctypes.addressof(counter), *shares.numbers]
        scratch = carries[0][0].new_empty(len(layout) * frame.row + 2 * units.lanes)
        start, itemsize = scratch.data_ptr(), scratch.itemsize
        for i, size in frame.buffers:
            arguments[i] = start
            start += len(layout) * size * itemsize
        for name, stream in streams.items():
            i = self._streams[name]
            arguments[i], arguments[i + 1] = stream.data_ptr(), stream.stride(0)
        weights = [packing(params[packing.product.matrix]) for packing in frame.packings]
        for i, w in zip(self._matrices, weights, strict=True):
            arguments[i] = w.data_ptr()
        for i, (before, after) in zip(self._carries, carries, strict=True):
            arguments[i], arguments[i + 1] = before.data_ptr(), after.data_ptr()
        vectors = [params[name].contiguous() for name, _ in self._vectors]
        for (_, i), v in zip(self._vectors, vectors, strict=True):
            arguments[i] = v.data_ptr()
        launch(self, ctypes.addressof(arguments), count)

    def frame(self, units: Units) -> Frame:
        return self._frames.get(units) or self._new_frame(units)

    def _new_frame(self, units: Units) -> Frame:
        code, buffers = self.code, self.code.schedule.buffers
        packings = tuple(Packing(m.product, buffers[m.source], units) for m in code.products)
        known = {"H": units.hidden, "R": units.projected}
        known |= {"H.padded": units.padded("H"), "R.padded": units.padded("R")}
        strides = {name: units.stride(letters) for name, letters in buffers.items()}
        known |= {f"buffer.{name}.stride": stride for name, stride in strides.items()}
        for i, packing in enumerate(packings):
            known |= {f"matrix.{i}.count": packing.shape[0], f"matrix.{i}.depth": packing.shape[1]}
        numbers = bytes(self._kind(*(known.get(name, 0) for name in code.arguments)))
        places = tuple((self._at[f"buffer.{name}"], stride) for name, stride in strides.items())
        work = sum(math.prod(packing.shape) for packing in packings) + units.stride(["H"]) * 16
        frame = self._frames[units] = Frame(numbers, packings, places, sum(strides.values()), work)
        return frame


def share(layout: Layout, reverse: bool, work: int) -> tuple[Shares, int]:
    """The rows as they are dealt out, and how many threads take them. work: of a frame."""
    wanted = torch.get_num_threads() if work * layout.steps >= WORTH_A_THREAD else 1
    shares = deal(layout, wanted, reverse)
    return shares, min(shares.count, wanted)


def launch(kernel: Kernel, arguments: int, count: int) -> None:
    """Runs a kernel on this many threads. Every call of compiled code goes through here."""
    threads.run(kernel.function, arguments, count)


def kernel(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """The compiled program of this name: infer, train or back. Raises InputError as ``trace``."""
    with _lock:
        return _known(cell, name, dtype)


@cache
def _known(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    return build(cell, name, dtype)


def build(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """As ``kernel``, made anew: from the cache on the disk if it is there."""
    programs = plan(cell)
    program = {"infer": programs.infer, "train": programs.train, "back": programs.back}[name]
    return Kernel(program, objects.widest(SCALARS[dtype]))
