"""How sequences become batches: apart, or as parallel streams that are read on and on.

Both are plain functions of a seed and an epoch, so that a training resumed in the middle of an epoch sees the
batches that it would have seen.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from recurra.sequences.ragged import Ragged


class OnDevice(Protocol):
    """What can be brought to a device."""

    def to(self, device: Any, /) -> Self:
        """The same on this device."""


class Targets(OnDevice, Protocol):
    """What a head learns from, a row for each of the data's: a Tensor, a Ragged, or a head's own of several parts."""

    def __getitem__(self, rows: Tensor, /) -> OnDevice:
        """These rows."""


class Sequences(Protocol):
    """Sequences to be batched: a Ragged, or what makes one of them when a batch asks for it. lengths: [B] int64."""

    @property
    def lengths(self) -> Tensor: ...

    def __len__(self) -> int: ...

    def __getitem__(self, rows: Tensor, /) -> Ragged: ...


@dataclass(frozen=True)
class Batch:
    """inputs: B sequences. targets: what the head learns from them. steps: how many the batch counts for.

    carry: whether the state continues from the batch before. rows: [B], which sequences of the data these are.
    share: its steps over those of a usual batch, where their number is drawn; the learning rate goes with it.
    """

    inputs: Ragged
    targets: Any
    steps: int
    carry: bool = False
    rows: Tensor | None = None
    share: float = 1.0


class Separate:
    """Batches of independent sequences of similar length, each of about ``tokens`` steps.

    Sequences of similar length are put together because a batch takes as many steps as its longest sequence has.
    With ``shuffle`` the order is drawn anew each epoch; without, batches are the same each time. steps: [B], what
    each sequence counts for; None: its own steps.
    """

    # Batches drawn together and sorted by length: larger is faster, smaller is more random.
    POOL = 32

    def __init__(
        self,
        inputs: Sequences,
        targets: Any,
        tokens: int,
        *,
        shuffle: bool,
        steps: Tensor | None = None,
    ):
        self.inputs, self.targets, self.tokens, self.shuffle = inputs, targets, tokens, shuffle
        self.steps = inputs.lengths if steps is None else steps

    def indices(self, seed: int, epoch: int) -> list[Tensor]:
        """The rows of each batch of this epoch."""
        lengths = self.steps
        draw = torch.Generator().manual_seed(_mix(seed, epoch))
        order = torch.randperm(len(lengths), generator=draw) if self.shuffle else torch.arange(len(lengths))
        mean = max(1.0, lengths.double().mean().item()) if len(lengths) else 1.0
        pool = max(1, int(self.POOL * self.tokens / mean)) if self.shuffle else max(1, len(order))
        batches = [b for part in torch.split(order, pool) for b in self._cut(part[lengths[part].argsort(stable=True)])]
        if not self.shuffle:
            return batches
        return [batches[i] for i in torch.randperm(len(batches), generator=draw).tolist()]

    def _cut(self, rows: Tensor) -> list[Tensor]:
        batches, start, total = [], 0, 0
        for i, length in enumerate(self.steps[rows].tolist()):
            if total and total + length > self.tokens:
                batches.append(rows[start:i])
                start, total = i, 0
            total += length
        return [*batches, rows[start:]]

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number ``start`` on."""
        for rows in self.indices(seed, epoch)[start:]:
            targets = None if self.targets is None else self.targets[rows]
            yield Batch(self.inputs[rows], targets, int(self.steps[rows].sum()), rows=rows)

    def count(self, seed: int, epoch: int) -> int:
        """Batches in this epoch."""
        return len(self.indices(seed, epoch))

    @property
    def steps_per_epoch(self) -> int:
        return int(self.steps.sum())


class Streams:
    """One long sequence read as ``streams`` parallel ones, ``steps`` at a time, each step's target the next token.

    The state is carried from batch to batch: truncated backpropagation through time (Williams & Peng 1990).
    With ``shuffle``, every epoch after the first begins with a shorter batch, drawn from the seed, so that the
    places where the gradient is cut move. With a ``spread`` too, the length of every batch is drawn: about ``steps``,
    or, one time in twenty, about half of that (Merity et al. 2018, https://arxiv.org/abs/1708.02182).
    """

    LEAST, HALVED = 5, 0.05

    def __init__(self, tokens: Tensor, streams: int, steps: int, *, shuffle: bool, spread: float = 0.0):
        """tokens: [N + 1]; N steps are predicted. Fewer streams are used where N is small. spread: standard deviation
        of the lengths, in steps."""
        self.tokens, self.truncation, self.shuffle, self.spread = tokens, steps, shuffle, spread
        n = tokens.shape[0] - 1
        streams = max(1, min(streams, n // max(1, steps)))
        # Streams differ by one step at most, and no token is left out.
        self.bounds = torch.arange(streams + 1) * n // streams

    def _cuts(self, seed: int, epoch: int) -> list[int]:
        longest = int(self.bounds.diff().max())
        draw = torch.Generator().manual_seed(_mix(seed, epoch))
        if self.shuffle and self.spread:
            return self._drawn(draw, longest)
        first = self.truncation
        if self.shuffle and epoch > 0 and self.truncation > 1:
            first = int(torch.randint(1, self.truncation + 1, (), generator=draw))
        return [0, *range(first, longest, self.truncation), longest]

    def _drawn(self, draw: torch.Generator, longest: int) -> list[int]:
        cuts = [0]
        while cuts[-1] < longest:
            halved = float(torch.rand((), generator=draw)) < self.HALVED
            about = self.truncation / 2 if halved else float(self.truncation)
            length = int(about + self.spread * float(torch.randn((), generator=draw)))
            cuts.append(min(longest, cuts[-1] + max(self.LEAST, length)))
        return cuts

    def epoch(self, seed: int, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The epoch's batches from number ``start`` on; the first of an epoch does not continue anything."""
        cuts = self._cuts(seed, epoch)
        for i in range(start, len(cuts) - 1):
            begin = torch.minimum(self.bounds[:-1] + cuts[i], self.bounds[1:])
            end = torch.minimum(self.bounds[:-1] + cuts[i + 1], self.bounds[1:])
            offsets = torch.cat([torch.zeros(1, dtype=torch.int64), (end - begin).cumsum(0)])
            where = torch.arange(int(offsets[-1])) + torch.repeat_interleave(begin - offsets[:-1], end - begin)
            inputs = Ragged(self.tokens[where], offsets)
            share = (cuts[i + 1] - cuts[i]) / self.truncation if self.spread else 1.0
            targets = inputs.with_values(self.tokens[where + 1])
            yield Batch(inputs, targets, int(offsets[-1]), carry=i > 0, share=share)

    def count(self, seed: int, epoch: int) -> int:
        """Batches in this epoch."""
        return len(self._cuts(seed, epoch)) - 1

    @property
    def steps_per_epoch(self) -> int:
        return int(self.bounds[-1])


def _mix(seed: int, epoch: int) -> int:
    """A seed for this epoch; neighbouring seeds must not share epochs."""
    return (seed * 1_000_003 + epoch * 7_919 + 12_345) % (1 << 62)
