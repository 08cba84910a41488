"""A cell's compiled programs and how they are called: packing, buffers, addresses."""

import ctypes
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TypeAlias

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import gemm, objects, team, threads
from recurra.compile.graph import LETTERS, Product
from recurra.compile.ir import Lanes
from recurra.compile.llvm import ENTRY, GIVEN, PACK, emit
from recurra.compile.plan import Program, plan
from recurra.compile.shares import Shares, deal
from recurra.sequences.layout import Layout

SCALARS = {torch.float32: "float", torch.float64: "double"}
# Below this many multiplications a second thread costs more than it saves.
WORTH_A_THREAD = 200_000
# Of a step, what makes up for waiting for the other members of a team.
WORTH_A_MEMBER = 16_000
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
        return {"H": self.hidden, "R": self.projected, "I": self.inputs, "1": 1}[letter]

    def padded(self, letter: str) -> int:
        return -(-self.of(letter) // self.lanes) * self.lanes

    def width(self, letters: Sequence[str]) -> int:
        return sum(self.of(x) for x in letters)

    def stride(self, letters: Sequence[str]) -> int:
        """Of a buffer, which products write by whole panels."""
        panel = 2 * self.lanes
        return -(-sum(self.padded(x) for x in letters) // panel) * panel


@dataclass(frozen=True)
class Panels:
    """How many there are of a packed matrix, and how deep they are. elements: of all."""

    count: int
    depth: int
    elements: int

    @staticmethod
    def of(product: Product, source: tuple[str, ...], units: Units) -> "Panels":
        """source: letters of the blocks that enter the product."""
        panel = 2 * units.lanes
        count = -(-product.blocks * units.padded(product.letter) // panel)
        depth = sum(units.padded(x) for x in source)
        return Panels(count, depth, count * depth * panel)


@dataclass(frozen=True)
class Frame:
    """What all calls with the same units share. numbers: of the arguments that are known.

    panels: of each product's matrix; packed: elements of all. buffers: place among the arguments and stride; row:
    elements of all for one row. work: about how many multiplications a row's step takes.
    """

    numbers: bytes
    panels: tuple[Panels, ...]
    packed: int
    buffers: tuple[tuple[int, int], ...]
    row: int
    work: int

    def scratch(self, rows: int) -> int:
        """Elements of the buffers for so many rows."""
        return rows * self.row + 32


@dataclass(frozen=True)
class Ways:
    """together: the threads go through the same rows as a team, instead of each through its own."""

    threads: int
    together: bool = False

    @property
    def own(self) -> int:
        """How many there are to deal rows out to."""
        return 1 if self.together else self.threads


class Kernel:
    """One program for one type of numbers, compiled. Final."""

    def __init__(self, program: Program, lanes: Lanes):
        self.program, self.lanes = program, lanes
        self.code = emit(program, lanes)
        self.address, pack = objects.addresses(self.code.text, (ENTRY, PACK), beside=gemm.module(lanes))
        self.function, self._pack = objects.at(self.address), objects.at(pack)
        self._frames: dict[Units, Frame] = {}
        self._kind = ctypes.c_int64 * len(self.code.arguments)
        self.at = {name: i for i, name in enumerate(self.code.arguments)}
        self._streams = {stream: self.at[f"stream.{stream}"] for stream in program.streams}
        self._carries = [self.at[f"carry{k}.in"] for k in range(len(program.carries))]
        self._given = {i: name.partition(".")[2] for name, i in self.at.items() if name.startswith(GIVEN)}
        self._matrices = [m.product.matrix for m in self.code.products]
        panels, weights = ([self.at[f"{x}.{k}"] for k in range(len(self._matrices))] for x in ("matrix", "weights"))
        self._panels, self._weights = panels, [*weights, *self._given]

    def __call__(
        self,
        layout: Layout,
        reverse: bool,
        frame: Frame,
        streams: Mapping[str, Tensor],
        params: Mapping[str, Tensor],
        carries: Sequence[tuple[Tensor, Tensor]],
    ) -> None:
        """streams: [N, width] by name, rows apart by their stride. carries: before and after, [B, width], each."""
        shares, ways = self.share(layout, reverse, frame)
        arguments = self.arguments(frame)
        arguments[2:8] = [*shares.numbers]
        # One tensor for all that is needed during the call; until its end these had to live.
        scratch = carries[0][0].new_empty(frame.packed + frame.scratch(len(layout)))
        weights = self.set_weights(arguments, frame, params, scratch.data_ptr())
        self.set_buffers(arguments, frame, len(layout), scratch.data_ptr() + frame.packed * self.lanes.bytes)
        self.set_carries(arguments, carries)
        for name, stream in streams.items():
            i = self._streams[name]
            arguments[i], arguments[i + 1] = stream.data_ptr(), stream.stride(0)
        launch(self, arguments, ways)
        del weights, scratch  # until here they had to live

    def share(self, layout: Layout, reverse: bool, frame: Frame) -> tuple[Shares, "Ways"]:
        """The rows as they are dealt out, and how threads take them."""
        ways = self.ways(frame, len(layout), layout.steps)
        return dealt(deal(layout, ways.own, reverse), ways)

    def ways(self, frame: Frame, rows: int, steps: int) -> "Ways":
        """How threads take so many rows of so many steps in all: each its own, or a team's, if half would have none."""
        wanted = threads_for(frame.work * steps)
        if 2 * rows > wanted or not self.code.schedule.splits:
            return Ways(wanted)
        # Without products nobody waits for anybody.
        members = min(wanted, frame.work * rows // WORTH_A_MEMBER) if self.code.products else wanted
        return Ways(members, together=True) if members > 1 else Ways(wanted)

    # --- what arguments are made of ---

    def arguments(self, frame: Frame) -> Arguments:
        """New ones, with the numbers that are known."""
        return self._kind.from_buffer_copy(frame.numbers)

    def set_buffers(self, arguments: Arguments, frame: Frame, rows: int, start: int) -> None:
        """Buffers for so many rows, in ``frame.scratch(rows)`` elements from the address ``start``."""
        for i, size in frame.buffers:
            arguments[i] = start
            start += rows * size * self.lanes.bytes

    def set_weights(
        self, arguments: Arguments, frame: Frame, params: Mapping[str, Tensor], start: int
    ) -> Sequence[Tensor]:
        """Packs the weights into ``frame.packed`` elements from the address ``start``.

        Returns what else must live as long as the call: the weights as they are.
        """
        weights = [params[name].contiguous() for name in (*self._matrices, *self._given.values())]
        for i, w in zip(self._weights, weights, strict=True):
            arguments[i] = w.data_ptr()
        for i, panels in zip(self._panels, frame.panels, strict=True):
            arguments[i] = start
            start += panels.elements * self.lanes.bytes
        self._pack(ctypes.addressof(arguments))
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
        panels = tuple(Panels.of(m.product, buffers[m.source], units) for m in code.products)
        known = {letter: units.of(letter) for letter in LETTERS}
        known |= {f"{letter}.padded": units.padded(letter) for letter in LETTERS}
        strides = {name: units.stride(letters) for name, letters in buffers.items()}
        known |= {f"buffer.{name}.stride": stride for name, stride in strides.items()}
        for i, p in enumerate(panels):
            known |= {f"matrix.{i}.count": p.count, f"matrix.{i}.depth": p.depth}
        numbers = bytes(self._kind(*(known.get(name, 0) for name in code.arguments)))
        places = tuple((self.at[f"buffer.{name}"], stride) for name, stride in strides.items())
        packed = sum(p.elements for p in panels)
        work = packed + units.stride(["H"]) * 16
        return Frame(numbers, panels, packed, places, sum(strides.values()), work)


def threads_for(work: int) -> int:
    """How many threads about so many multiplications are worth."""
    return torch.get_num_threads() if work >= WORTH_A_THREAD else 1


def dealt(shares: Shares, ways: Ways) -> tuple[Shares, Ways]:
    """Without the threads for which there is no share."""
    return shares, ways if ways.together else Ways(min(shares.count, ways.threads))


def launch(kernel: Kernel, arguments: Arguments, ways: Ways) -> None:
    """Runs a kernel on its threads. Every call of compiled code, but for those of a chain, goes through here."""
    counter, together = ctypes.c_int64(0), team.new(ways.threads) if ways.together else None
    arguments[0] = ctypes.addressof(counter) if ways.threads > 1 else 0
    arguments[1] = ctypes.addressof(together) if together else 0
    threads.run(kernel.function, ctypes.addressof(arguments), ways.threads)


def kernel(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """The compiled program of this name: infer, train or back. Raises InputError as ``trace``."""
    with _lock:
        return _known(cell, name, dtype)


def kernel_without_cell(program: Callable[[], Program], dtype: torch.dtype) -> Kernel:
    """The compiled program that this function makes."""
    with _lock:
        return _plain(program, dtype)


@cache
def _known(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    return build(cell, name, dtype)


def build(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """As ``kernel``, made anew: from the cache on the disk if it is there."""
    programs = plan(cell)
    return Kernel(getattr(programs, name), objects.widest(SCALARS[dtype]))


@cache
def _plain(program: Callable[[], Program], dtype: torch.dtype) -> Kernel:
    return Kernel(program(), objects.widest(SCALARS[dtype]))
