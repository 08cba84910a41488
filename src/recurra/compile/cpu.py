"""A cell's compiled programs and how they are called: packing, buffers, addresses."""

import ctypes
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import gemm, objects, threads
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


class Kernel:
    """One program for one type of numbers, compiled. Final."""

    def __init__(self, program: Program, lanes: Lanes):
        self.program, self.lanes = program, lanes
        self.code = emit(program, lanes)
        self.function = objects.function(self.code.text, ENTRY)

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
        buffers = self.code.schedule.buffers
        weights = [pack(params[m.product.matrix], m.product, buffers[m.source], units) for m in self.code.products]
        most = sum(w.numel() for w in weights) * max(1, layout.steps)
        shares = deal(layout, torch.get_num_threads() if most >= WORTH_A_THREAD else 1, reverse)
        sizes = {name: units.stride(letters) for name, letters in buffers.items()}
        dtype = carries[0][0].dtype
        scratch = torch.empty(len(layout) * sum(sizes.values()) + 2 * units.lanes, dtype=dtype)
        counter = ctypes.c_int64(0)
        given = self._shares(shares) | {"drawn": ctypes.addressof(counter)}
        given |= {"H": units.hidden, "R": units.projected}
        given |= {"H.padded": units.padded("H"), "R.padded": units.padded("R")}
        start = scratch.data_ptr()
        for name, size in sizes.items():
            given |= {f"buffer.{name}": start, f"buffer.{name}.stride": size}
            start += len(layout) * size * dtype.itemsize
        for name, stream in streams.items():
            given |= {f"stream.{name}": stream.data_ptr(), f"stream.{name}.stride": stream.stride(0)}
        for i, w in enumerate(weights):
            given |= {f"matrix.{i}": w.data_ptr(), f"matrix.{i}.depth": w.shape[1], f"matrix.{i}.count": w.shape[0]}
        for k, (before, after) in enumerate(carries):
            given |= {f"carry{k}.in": before.data_ptr(), f"carry{k}.out": after.data_ptr()}
        given |= {f"vector.{name}": p.data_ptr() for name, p in params.items() if p.ndim == 1}
        arguments = (ctypes.c_int64 * len(self.code.arguments))(*(given[name] for name in self.code.arguments))
        launch(self, ctypes.addressof(arguments), min(shares.count, torch.get_num_threads()))

    @staticmethod
    def _shares(shares: Shares) -> dict[str, int]:
        return {
            "shares": shares.count,
            "bounds": shares.bounds.ctypes.data,
            "rows": shares.rows.ctypes.data,
            "first": shares.first.ctypes.data,
            "lengths": shares.lengths.ctypes.data,
            "direction": shares.direction,
        }


def launch(kernel: Kernel, arguments: int, count: int) -> None:
    """Runs a kernel on this many threads. Every call of compiled code goes through here."""
    threads.run(kernel.function, arguments, count)


def kernel(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    """The compiled program of this name: infer, train or back. Raises InputError as ``trace``."""
    with _lock:
        return _kernel(cell, name, dtype)


@lru_cache(maxsize=None)
def _kernel(cell: Cell, name: str, dtype: torch.dtype) -> Kernel:
    programs = plan(cell)
    program = {"infer": programs.infer, "train": programs.train, "back": programs.back}[name]
    return Kernel(program, objects.widest(SCALARS[dtype]))


def pack(matrix: Tensor, product: Product, source: Sequence[str], units: Units) -> Tensor:
    """[panels, K, panel width]: what enters a product down, what comes out across, both padded with zeros.

    matrix: [rows, columns]; its transpose is packed for the forward product, itself for the transposed one. source:
    letters of the blocks that enter.
    """
    weights = matrix if product.transposed else matrix.t()
    size, padded = units.of(product.letter), units.padded(product.letter)
    inner, inner_padded = units.of(source[0]), units.padded(source[0])
    panel = 2 * units.lanes
    columns = product.blocks * padded
    whole = -(-columns // panel) * panel
    if padded != size or inner_padded != inner or whole != columns:
        wide = weights.new_zeros(len(source), inner_padded, whole)
        view = wide[:, :inner, :columns].unflatten(2, (product.blocks, padded))
        view[..., :size] = weights.reshape(len(source), inner, product.blocks, size)
        weights = wide.flatten(0, 1)
    return weights.unflatten(1, (-1, panel)).transpose(0, 1).contiguous()
