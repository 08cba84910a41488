"""Which code runs a cell, and what keeps a faster one off: the one place where that is decided."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.compile import torch_kernels
from recurra.compile.op import bound
from recurra.compile.reference import units_of
from recurra.sequences.layout import Layout

Path = Literal["kernel", "torch", "reference"]


@dataclass(frozen=True)
class Choice:
    """path: kernel, the cell's compiled programs; torch, torch's fused kernels; reference, the cell's Python step by
    step. reason: what keeps the compiled ones off; empty where they run."""

    path: Path
    reason: str = ""


KERNEL = Choice("kernel")
OWN = {Tensor, torch.nn.Parameter}
TRANSFORMED = Choice("reference", "a transform of torch.func hands in stand-ins for tensors, which have no memory")


def choose(cell: Cell, tensors: Sequence[Tensor]) -> Choice:
    """tensors: all that enter, the input's values first."""
    transformed = torch._C._functorch.peek_interpreter_stack() is not None
    if transformed and any(torch._C._functorch.is_functorch_wrapped_tensor(t) for t in tensors):
        return TRANSFORMED
    reason = unfit(tensors[0])
    if not reason:
        foreign = set(map(type, tensors)) - OWN
        if not foreign:
            return KERNEL
        reason = f"a tensor is a {foreign.pop().__name__}: compiled kernels take torch's own class alone"
    if cell not in torch_kernels.KERNELS:
        return Choice("reference", f"{reason}; torch has no kernel of this cell")
    if "torch" in _off.get():
        return Choice("reference", "compiled kernels are switched off, and torch's")
    return Choice("torch" if tensors[0].is_floating_point() else "reference", reason)


_off: ContextVar[frozenset[Path]] = ContextVar("_off", default=frozenset())


@contextmanager
def without_kernels(*, torchs: bool = False) -> Iterator[None]:
    """Inside the block no compiled kernel is chosen: to compare with what would run else, or to find what is to blame.

    torchs: torch's fused kernels are not chosen either, so that every cell's own Python runs. A graph of torch.compile
    keeps the choice it was made with.

    >>> with without_kernels():
    ...     unfit(torch.zeros(1, 1))
    'compiled kernels are switched off'
    """
    token = _off.set(frozenset(("kernel", "torch") if torchs else ("kernel",)))
    try:
        yield
    finally:
        _off.reset(token)


def unfit(values: Tensor) -> str:
    """Why compiled kernels cannot take an input like this; empty where they can."""
    if not torch.compiler.is_compiling() and "kernel" in _off.get():
        return "compiled kernels are switched off"
    if values.device.type != "cpu":
        return f"the input is on {values.device.type}: compiled kernels run on the CPU"
    if values.dtype not in (torch.float32, torch.float64):
        return f"the input is {name(values.dtype)}: compiled kernels are for float32 and float64"
    if values.layout != torch.strided:
        return f"the input's layout is {name(values.layout)}: compiled kernels read strided tensors"
    if torch.is_autocast_enabled("cpu"):
        return f"autocast is on, in {name(torch.get_autocast_dtype('cpu'))}: compiled kernels keep their input's dtype"
    return ""


def name(constant: torch.dtype | torch.layout) -> str:
    return str(constant).removeprefix("torch.")


@dataclass(frozen=True)
class Ran:
    """One cell over one batch, as it ran. threads, lanes: of a compiled kernel, else None; lanes: numbers in a vector.

    dtype: of the input.
    """

    cell: Cell
    choice: Choice
    dtype: torch.dtype
    threads: int | None
    lanes: int | None


_seen: ContextVar[list[Ran] | None] = ContextVar("_seen", default=None)


@contextmanager
def watch() -> Iterator[list[Ran]]:
    """What runs inside the block, in its order, but for what runs in a graph of torch.compile."""
    seen: list[Ran] = []
    token = _seen.set(seen)
    try:
        yield seen
    finally:
        _seen.reset(token)


def note(
    cell: Cell, choice: Choice, layout: Layout, reverse: bool, tensors: Sequence[Tensor], initial: Sequence[Tensor]
) -> None:
    """Tells who watches. tensors: as for ``choose``, with weight_ih second."""
    seen = _seen.get()
    if seen is None:
        return
    values, weight_ih, *_ = tensors
    threads = lanes = None
    if choice.path == "kernel":
        run = bound(cell, "infer", values.dtype, *units_of(cell, weight_ih, initial))
        threads = run.kernel.share(layout, reverse, run.frame)[1].threads
        lanes = run.units.lanes
    seen.append(Ran(cell, choice, values.dtype, threads, lanes))
