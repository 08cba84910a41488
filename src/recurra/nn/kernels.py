"""Which code each recurrent layer of a module runs, and what keeps it off the compiled kernels."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from recurra.compile import Path, Ran, watch
from recurra.errors import InputError
from recurra.nn.conv import Convolutional
from recurra.nn.recurrent import Layer, Recurrent
from recurra.nn.rnn import GRU, LSTM, RNN
from recurra.sequences import Ragged

Layers = Recurrent | Convolutional | RNN | LSTM | GRU
COLUMNS = ("layer", "cell", "path", "dtype", "lanes", "threads", "why not a kernel")


@dataclass(frozen=True)
class LayerKernel:
    """name: the layer's within the module, with ``l0_reverse`` and the like for a drop-in's layers. cell: its name.

    path: ``kernel``, compiled; ``torch``, torch's fused kernels; ``reference``, the cell's Python step by step.
    reason: what keeps the layer off its compiled kernel, empty where it runs. dtype: of the input. lanes: numbers in
    a vector of this CPU. threads: how many take part; both None where no compiled kernel runs, and threads where no
    input was given.
    """

    name: str
    cell: str
    path: Path
    reason: str
    dtype: str
    lanes: int | None
    threads: int | None

    def row(self) -> tuple[str, ...]:
        """As text, in the order of COLUMNS."""
        numbers = ("" if n is None else str(n) for n in (self.lanes, self.threads))
        return (self.name or "itself", self.cell, self.path, self.dtype, *numbers, self.reason)


class Kernels(tuple[LayerKernel, ...]):
    """One LayerKernel for each layer and direction; prints as a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        rows = [COLUMNS, *(k.row() for k in self)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows)
        return "\n".join(lines)


def kernels(layer: nn.Module, *inputs: Any) -> Kernels:
    """Which code each recurrent layer in ``layer`` runs on this input, and why not a compiled kernel where it does not.

    layer: any module that holds layers of ``recurra.nn``, or is one. inputs: what its forward takes; it is run on them
    once, without gradients. Without inputs each recurrent layer is tried on one step in the dtype and on the device of
    its weights. A gradient of a gradient (``create_graph=True``) goes through the reference whatever the path.
    Raises InputError if there is no recurrent layer.

    >>> import torch
    >>> from recurra.nn import GRU
    >>> print(kernels(GRU(3, 5).bfloat16()))
    layer  cell  path   dtype     lanes  threads  why not a kernel
    l0     gru   torch  bfloat16                  the input is bfloat16: compiled kernels are for float32 and float64
    >>> kernels(GRU(3, 5), torch.randn(7, 2, 3))[0].path
    'kernel'
    """
    layers = {name: m for name, m in layer.named_modules() if isinstance(m, Layers)}
    if not layers:
        raise InputError(f"layer: expected a module that holds recurrent layers, got a {type(layer).__name__}")
    found: list[LayerKernel] = []
    with torch.no_grad(), torch.compiler.set_stance("force_eager"), _told(layers, found, bool(inputs)):
        if inputs:
            layer(*inputs)
        else:
            for m in layers.values():
                m(_one_step(m))
    # A layer that is run again and again, on chunks or in a loop, is told once.
    return Kernels(dict.fromkeys(found))


@contextmanager
def _told(layers: Mapping[str, Layers], found: list[LayerKernel], threads: bool) -> Iterator[None]:
    """Inside the block, what each layer runs goes into ``found``."""

    def hook(name: str, layer: Layers) -> Callable[..., None]:
        suffixes = [""] if isinstance(layer, Layer) else [s.removeprefix("_") for s in layer.suffixes]
        names = [".".join(filter(None, (name, suffix))) for suffix in suffixes]

        def after(*_: Any) -> None:
            found.extend(_tell(n, ran, threads) for n, ran in zip(names, seen, strict=True))
            seen.clear()

        return after

    with watch() as seen, ExitStack() as hooks:
        for name, layer in layers.items():
            hooks.enter_context(layer.register_forward_hook(hook(name, layer)))
        yield


def _tell(name: str, ran: Ran, threads: bool) -> LayerKernel:
    path, reason = ran.choice.path, ran.choice.reason
    dtype = str(ran.dtype).removeprefix("torch.")
    return LayerKernel(name, ran.cell.name, path, reason, dtype, ran.lanes, ran.threads if threads else None)


def _one_step(layer: Layers) -> Ragged:
    weight = next(layer.parameters())
    frame = (layer.frame or (1, 1)) if isinstance(layer, Convolutional) else ()
    return Ragged(weight.new_zeros(1, layer.input_size, *frame), torch.arange(2, device=weight.device))
