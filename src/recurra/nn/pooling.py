"""One vector for a whole sequence."""

from typing import Literal

import torch
from torch import Tensor, nn

from recurra.sequences import Ragged

Pool = Literal["last", "mean", "max", "attention", "middle"]

# What pooling of the steps so far rests on.
Carried = tuple[Tensor, ...]


class Pooling(nn.Module):
    """Reduces every sequence of a batch to one vector; an empty sequence gives zeros (``last``: its initial state).

    width: features F of each step. how: ``last`` the final output of each direction, ``mean``, ``max``, ``attention``,
    a learned weighted mean (Zhou et al. 2016, https://aclanthology.org/P16-2034), or ``middle``, step T // 2, for
    windows about what stands in the middle of them.
    """

    def __init__(self, width: int, how: Pool):
        super().__init__()
        self.how = how
        self.score = nn.Linear(width, 1, bias=False) if how == "attention" else None

    def forward(self, features: Ragged, last: Tensor) -> Tensor:
        """features: values [N, F]. last: [B, F], each sequence's final output. Returns [B, F]."""
        if self.how == "last":
            return last
        if self.how == "middle":
            there = features.lengths > 0
            middle = features.offsets[:-1] + features.lengths // 2
            return torch.zeros_like(last).index_put((there.nonzero()[:, 0],), features.values[middle[there]])
        values, rows = features.values, _rows(features)
        if self.how == "max":
            return torch.zeros_like(last).scatter_reduce(
                0, rows[:, None].expand_as(values), values, "amax", include_self=False
            )
        weights = self.weights(features)
        return torch.zeros_like(last).index_add(0, rows, values * weights[:, None])

    def beginning(self, feature: Tensor) -> Carried:
        """What ``step`` carries before the first step. feature: [B, F], any of the type to come."""
        if self.how == "last":
            return ()
        if self.how == "max":
            return (torch.full_like(feature, -torch.inf),)
        zeros = feature.new_zeros(len(feature), 1)
        return zeros, torch.zeros_like(feature), zeros - torch.inf

    def step(self, feature: Tensor, carried: Carried) -> tuple[Tensor, Carried]:
        """The vectors of sequences up to their next step, as it comes, [B, F]. feature: [B, F]. carried: as the step
        before gave it, or ``beginning``. There is none for ``middle``: what it rests on moves with every step.
        """
        if self.how == "last":
            return feature, ()
        if self.how == "max":
            largest = torch.maximum(carried[0], feature)
            return largest, (largest,)
        score = feature.new_zeros(len(feature), 1) if self.score is None else self.score(feature.tanh())
        # Sums of weights and of weighted features, of which the largest weight so far is 1.
        total, weighted, peak = carried
        new = torch.maximum(peak, score)
        total = total * (peak - new).exp() + (score - new).exp()
        weighted = weighted * (peak - new).exp() + (score - new).exp() * feature
        return weighted / total, (total, weighted, new)

    def weights(self, features: Ragged) -> Tensor:
        """[N], each step's share of its sequence's vector (``mean`` and ``attention``); sums to 1 in each sequence."""
        rows = _rows(features)
        if self.score is None:
            shares = features.lengths.clamp(min=1).to(features.values.dtype).reciprocal()
            return shares[rows]
        scores = self.score(features.values.tanh()).squeeze(-1)
        zeros = scores.new_zeros(len(features))
        peak = zeros.scatter_reduce(0, rows, scores.detach(), "amax", include_self=False)
        powers: Tensor = (scores - peak[rows]).exp()
        sums: Tensor = zeros.index_add(0, rows, powers)
        return powers / sums[rows]


def _rows(ragged: Ragged) -> Tensor:
    """[N], the sequence each step belongs to."""
    indices = torch.arange(len(ragged), device=ragged.values.device)
    return torch.repeat_interleave(indices, ragged.lengths, output_size=ragged.values.shape[0])
