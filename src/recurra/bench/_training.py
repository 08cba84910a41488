"""A training step of one recurrent layer, compiled and as its own Python, as work to be timed."""

from functools import partial

import torch
from torch import Tensor

from recurra.bench._sides import Work
from recurra.compile import without_kernels
from recurra.nn import Recurrent
from recurra.sequences import Ragged


class Training:
    """Batches of B sequences for layers that read H features. ragged: lengths uniform in 1..T instead of all T."""

    def __init__(self, batch: int, steps: int, hidden: int, *, ragged: bool = False):
        lengths = torch.randint(1, steps + 1, (batch,)) if ragged else torch.full((batch,), steps)
        self.values = torch.randn(int(lengths.sum()), hidden, requires_grad=True)
        self.x = Ragged(self.values.detach(), torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)]))
        self.x = self.x.with_values(self.values)

    def step(self, layer: Recurrent) -> Work:
        """Forward, and backward to input and weights."""
        grad = torch.randn(self.values.shape[0], layer.output_size)
        return partial(self._run, layer, [self.values, *layer.parameters()], grad)

    def python(self, layer: Recurrent) -> Work:
        """The same with the cell's own Python, step by step."""
        work = self.step(layer)

        def slowly() -> object:
            with without_kernels():
                return work()

        return slowly

    def _run(self, layer: Recurrent, wanted: list[Tensor], grad: Tensor) -> object:
        return torch.autograd.grad(layer(self.x)[0].values, wanted, grad, allow_unused=True)
