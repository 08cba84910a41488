"""A training step of one recurrent layer, as work to be timed: compiled, as its own Python, as torch compiles that."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

from recurra.bench._sides import Work
from recurra.cells import Cell
from recurra.compile import without_kernels
from recurra.errors import InputError
from recurra.nn import Recurrent
from recurra.sequences import Ragged


class Training:
    """Batches of B sequences for layers that read H features. ragged: lengths uniform in 1..T instead of all T."""

    def __init__(self, batch: int, steps: int, hidden: int, *, ragged: bool = False):
        self.batch, self.steps = batch, steps
        lengths = torch.randint(1, steps + 1, (batch,)) if ragged else torch.full((batch,), steps)
        self.values = torch.randn(int(lengths.sum()), hidden, requires_grad=True)
        self.x = Ragged(self.values.detach(), torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]))
        self.x = self.x.with_values(self.values)

    def step(self, layer: Recurrent) -> Work:
        """Forward, and backward to input and weights."""
        return self._gradients(lambda: layer(self.x)[0].values, layer)

    def python(self, layer: Recurrent) -> Work:
        """The same with the cell's own Python, step by step."""
        work = self.step(layer)

        def slowly() -> object:
            with without_kernels(torchs=True):
                return work()

        return slowly

    def compiled(self, layer: Recurrent, backend: str = "inductor") -> Work:
        """The same as a Python loop that ``torch.compile`` has unrolled: of a layer that draws nothing, not ragged.

        Compiles at once, and the backward pass at its first call. Raises RuntimeError where its output is not ours.
        """
        torch.compiler.reset()  # of one loop it keeps but a few compiled forms
        run = torch.compile(_loop, dynamic=False, fullgraph=True, backend=backend)

        def looped() -> Tensor:
            x = self.values.view(self.batch, self.steps, -1)
            states = tuple(layer.initial_state(self.batch)[name] for name in layer.cell.states)
            return run(layer.cell, x, layer.weight_ih, layer.bias_ih, layer.cell_weights(training=True), states)

        worst = float((looped() - layer(self.x)[0].values).detach().abs().max())
        if worst > 1e-4:
            raise RuntimeError(f"the output of torch.compile differs by {worst:.1e}: it does not do the same work")
        return self._gradients(looped, layer)

    def _gradients(self, run: Callable[[], Tensor], layer: Recurrent) -> Work:
        wanted = [self.values, *layer.parameters()]
        grad = torch.randn(self.values.shape[0], layer.output_size)
        return lambda: torch.autograd.grad(run(), wanted, grad, allow_unused=True)


def _loop(
    cell: Cell, x: Tensor, weight: Tensor, bias: Tensor | None, params: Mapping[str, Tensor], states: tuple[Tensor, ...]
) -> Tensor:
    """x: [B, T, I]. Returns the output, [B * T, size]."""
    outputs = []
    for wx in linear(x, weight, bias).unbind(1):
        states = cell(wx, *states, **params)
        outputs.append(states[0])
    return torch.stack(outputs, 1).flatten(0, 1)


def check_compiler() -> None:
    """Raises InputError where ``torch.compile`` finds no C++ compiler."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise InputError("--compile needs a C++ compiler for torch.compile: install g++, or set CXX") from None
