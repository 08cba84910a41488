"""Whether everything works on this machine: what it offers, and kernels that compile, run and are right."""

import copy
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import llvmlite
import torch
from torch import Tensor

from recurra.cells import CELLS, Cell
from recurra.compile import objects, path, reference, threads, unroll
from recurra.compile.cpu import build
from recurra.nn import Recurrent
from recurra.runs.machine import hardware, versions
from recurra.sequences import Ragged

# The versions of torch that are tested: from the first to before the second.
TORCH = ((2, 11), (2, 14))
# How far a kernel may be from the reference, relative to the largest value.
TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-10}

Unroll = Callable[..., tuple[Ragged, tuple[Tensor, ...]]]


@dataclass(frozen=True)
class Check:
    """One thing that was tried. ok: whether it went well. detail: what was found, or what to do."""

    name: str
    ok: bool
    detail: str


def machine() -> dict[str, str]:
    """What there is to compute with, by name."""
    found, lanes = hardware(), objects.widest("float").count
    return {
        "processor": f"{found['cpu']}, {found['cores']} cores, {found['memory_gb']} GB; to LLVM {objects.host()[0]}",
        "vectors": f"{32 * lanes} bits, {lanes} numbers of float32",
        "threads": f"{found['threads']}, {threads.runtime()}",
        "CUDA": found["device"] if torch.cuda.is_available() else "none: compiled kernels run on the CPU",
        "kernel cache": str(objects.folder()),
        "versions": ", ".join(f"{name} {v}" for name, v in {**versions(), "llvmlite": llvmlite.__version__}.items()),
    }


def checks() -> Iterator[Check]:
    """Everything that is tried, in order, as it is done."""
    yield _torch()
    yield _cache()
    for name, cell in CELLS.all().items():
        for dtype in TOLERANCE:
            yield _cell(name, cell, dtype)


def _torch() -> Check:
    have = tuple(int(part) for part in torch.__version__.split(".")[:2])
    first, last = (f"{major}.{minor}" for major, minor in (TORCH[0], (TORCH[1][0], TORCH[1][1] - 1)))
    return Check("torch", TORCH[0] <= have < TORCH[1], f"{torch.__version__}; {first} to {last} are tested")


def _cache() -> Check:
    folder = objects.folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("kernel cache", False, f"cannot be written ({error}): every process compiles; set RECURRA_CACHE")
    kept = [file.stat().st_size for file in folder.glob("*.o")]
    return Check("kernel cache", True, f"can be written; {len(kept)} kernels, {sum(kept) / 1e6:.1f} MB")


def _cell(name: str, cell: Cell, dtype: torch.dtype) -> Check:
    """Its programs compiled, taken from the cache, and compared with the reference."""
    what = f"{name} {str(dtype).removeprefix('torch.')}"
    try:
        (compiled, kept), (error, other) = _build_seconds(cell, dtype), _errors(cell, dtype)
    except Exception as failure:  # noqa: BLE001  whatever goes wrong here is what was looked for
        return Check(what, False, f"{type(failure).__name__}: {failure}")
    # Where a cell magnifies what rounding does, the reference is off by more than the tolerance as well.
    well = error <= max(TOLERANCE[dtype], 2 * other)
    agree = "as" if well else "NOT as"
    times = f"compiled in {1000 * compiled:.0f} ms, from the cache in {1000 * kept:.0f} ms"
    return Check(what, well, f"{times}; {agree} the reference, to {error:.0e}")


def _build_seconds(cell: Cell, dtype: torch.dtype) -> tuple[float, float]:
    """For all programs of a cell, without and with a cache."""
    seconds = []
    with _empty_cache():
        for _ in range(2):
            start = time.perf_counter()
            for program in ("infer", "train", "back"):
                build(cell, program, dtype)
            seconds.append(time.perf_counter() - start)
    return seconds[0], seconds[1]


@contextmanager
def _empty_cache() -> Iterator[None]:
    before = os.environ.get("RECURRA_CACHE")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["RECURRA_CACHE"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["RECURRA_CACHE"]
            else:
                os.environ["RECURRA_CACHE"] = before


def _errors(cell: Cell, dtype: torch.dtype) -> tuple[float, float]:
    """How far the kernel and the reference are from the reference in float64, relative to the largest value.

    Of output, final states and gradients. Lengths and H are such that rows end early and vectors are not filled.
    """
    torch.manual_seed(0)
    layer = Recurrent(cell, 5, 13, projection_size=6 if cell.projects else 0).to(dtype)
    x = Ragged.from_list([torch.randn(n, 5, dtype=dtype) for n in (9, 1, 0, 4, 9)])
    if path(cell, x) != "kernel":
        raise RuntimeError(f"its kernel is kept off; the path taken is {path(cell, x)}")

    def results(run: Unroll, layer: Recurrent, x: Ragged) -> list[Tensor]:
        start = layer.initial_state(len(x))
        initial = tuple(start[name] for name in cell.states)
        y, finals = run(cell, x, layer.weight_ih, layer.bias_ih, dict(layer.params), initial, False)
        total = y.values.sin().sum() + sum(f.sum() for f in finals)
        return [y.values, *finals, *torch.autograd.grad(total, [layer.weight_ih, *layer.params.values()])]

    def error(found: list[Tensor]) -> float:
        pairs = zip(found, exact, strict=True)
        return max(((a - b).abs().max() / b.abs().max().clamp(min=1.0)).item() for a, b in pairs)

    exact = results(reference.unroll, copy.deepcopy(layer).double(), x.to(torch.float64))
    return error(results(unroll, layer, x)), error(results(reference.unroll, layer, x))
