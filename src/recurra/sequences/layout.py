"""Where every step of a batch lies: all that follows from the offsets alone, computed once and shared.

Two orders of the same N steps occur. *Ragged* order: sequence after sequence. *Packed* order: all first steps,
then all second steps and so on, longest sequence first, so that the rows active at a step are a prefix; it is the
order of torch's ``PackedSequence`` and of every loop over time.
"""

from functools import cached_property
from typing import Any

import torch
from torch import Tensor


class Layout:
    """offsets: [B+1] int64. steps: N, the last offset, known to the host.

    order: [B], the rows longest first, where a particular order among equals is wanted.
    """

    def __init__(self, offsets: Tensor, steps: int, order: Tensor | None = None):
        self.offsets, self.steps, self._order = offsets, steps, order
        self._count = offsets.shape[0] - 1
        self._packings: dict[bool, tuple[Tensor, Tensor]] = {}

    @staticmethod
    def of_lengths(lengths: Tensor, order: Tensor | None = None) -> "Layout":
        """The layout of sequences of these lengths, [B] int64."""
        offsets = torch.zeros(len(lengths) + 1, dtype=torch.int64, device=lengths.device)
        torch.cumsum(lengths, 0, out=offsets[1:])
        return Layout(offsets, int(offsets[-1]), order)

    @staticmethod
    def of_equal(rows: int, length: int, device: torch.device) -> "Layout":
        """The layout of ``rows`` sequences of ``length`` steps; asks nothing of the device."""
        layout = Layout(torch.arange(rows + 1, device=device) * length, rows * length)
        if rows:
            layout.__dict__["equal_length"] = length
        return layout

    def __len__(self) -> int:
        return self._count

    @cached_property
    def lengths(self) -> Tensor:
        """[B], steps of each sequence."""
        return self.offsets.diff()

    @cached_property
    def equal_length(self) -> int | None:
        """T if all sequences have T steps; None if they differ or there are none."""
        if len(self) == 0:
            return None
        shortest, longest = torch.stack(self.lengths.aminmax()).tolist()
        return int(longest) if shortest == longest else None

    @cached_property
    def rows(self) -> Tensor:
        """[N], the sequence each step belongs to."""
        indices = torch.arange(len(self), device=self.offsets.device)
        return torch.repeat_interleave(indices, self.lengths, output_size=self.steps)

    @cached_property
    def order(self) -> Tensor:
        """[B], the rows longest first; rows of equal length keep their order."""
        if self._order is not None:
            return self._order
        return self.lengths.argsort(descending=True, stable=True)

    @cached_property
    def rank(self) -> Tensor:
        """[B], each row's place in ``order``."""
        return inverse(self.order)

    @cached_property
    def batch_sizes(self) -> Tensor:
        """[longest T] int64 on the CPU, as torch wants it: how many sequences have a step t."""
        finished = torch.bincount(self.lengths).cumsum(0)[:-1] if len(self) else self.lengths
        return (len(self) - finished).cpu()

    def packing(self, backward: bool) -> tuple[Tensor, Tensor]:
        """The two permutations between ragged and packed order, each sequence read from its end if ``backward``.

        Returns (pack, unpack), both [N]: ``packed = ragged[pack]`` and ``ragged = packed[unpack]``.
        """
        if backward not in self._packings:
            step = torch.arange(self.steps, device=self.offsets.device)
            step = self.offsets[1:][self.rows] - 1 - step if backward else step - self.offsets[self.rows]
            sizes = self.batch_sizes.to(step.device)
            unpack = (sizes.cumsum(0) - sizes)[step] + self.rank[self.rows]
            self._packings[backward] = inverse(unpack), unpack
        return self._packings[backward]

    def pack(self, values: Tensor, backward: bool) -> Tensor:
        """values: [N, ...] from ragged to packed order."""
        there, back = self.packing(backward)
        return reorder(values, there, back)

    def unpack(self, values: Tensor, backward: bool) -> Tensor:
        """values: [N, ...] from packed to ragged order."""
        there, back = self.packing(backward)
        return reorder(values, back, there)


def inverse(permutation: Tensor) -> Tensor:
    """The permutation that undoes this one."""
    indices = torch.arange(permutation.shape[0], device=permutation.device)
    return torch.empty_like(permutation).scatter_(0, permutation, indices)


def reorder(values: Tensor, there: Tensor, back: Tensor) -> Tensor:
    """``values[there]``, where ``there`` is a permutation and ``back`` its inverse.

    The gradient is then a gather too; index_select cannot know that, and adds row by row, nine times slower.
    """
    return _Reorder.apply(values, there, back)  # type: ignore[no-any-return, no-untyped-call]


class _Reorder(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, there: Tensor, back: Tensor) -> Tensor:
        return values.index_select(0, there)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[1:])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        there, back = ctx.saved_tensors
        return reorder(grad, back, there), None, None


def pick(values: Tensor, places: Tensor) -> Tensor:
    """``values[places]``, where no place occurs twice: the gradient is put into its places, not added row by row."""
    return _Pick.apply(values, places)  # type: ignore[no-any-return, no-untyped-call]


class _Pick(torch.autograd.Function):
    @staticmethod
    def forward(values: Tensor, places: Tensor) -> Tensor:
        return values.index_select(0, places)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.rows = inputs[0].shape[0]
        ctx.save_for_backward(inputs[1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        (places,) = ctx.saved_tensors
        return grad.new_zeros(ctx.rows, *grad.shape[1:]).index_copy(0, places, grad), None
