"""Beam search: the likeliest sequences that a step-by-step writer can write."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.sequences import State

# Tokens [R], each row's last one, the rows' states and the sequences they belong to [R], in rising order: to the
# log-probabilities of the next tokens [R, V] and the states after them.
Step = Callable[[Tensor, State, Tensor], tuple[Tensor, State]]


@dataclass(frozen=True)
class Written:
    """tokens: without the end. score: log-probability of all of it in nats, divided by the length penalty."""

    tokens: list[int]
    score: float


def length_penalty(tokens: int, alpha: float) -> float:
    """What a sequence's log-probability is divided by: ((5 + tokens) / 6) ** alpha (Wu et al. 2016, equation 14).

    https://arxiv.org/abs/1609.08144. Without it (alpha 0) short sequences win: each token makes a sequence less likely.

    >>> length_penalty(7, 1.0)
    2.0
    """
    return float(((5 + tokens) / 6) ** alpha)


def search(step: Step, state: State, end: int, limits: Tensor, *, beam: int, alpha: float) -> list[Written]:
    """The best sequence found for each row of ``state``, which a writer begins in with the token ``end``.

    limits: [B] int64, the most tokens each may have, at least 1. beam: sequences kept at each step; 1: greedy.
    alpha: of the length penalty. A sequence that ends makes its beam one narrower, and one whose beam is empty leaves
    the batch, so that nothing is computed for what has ended.
    """
    count, device = len(state), limits.device
    owners = torch.arange(count, device=device)
    scores = torch.zeros(count, dtype=state[state.names[0]].dtype, device=device)
    written = torch.full((count, 1), end, device=device)
    room = torch.full((count,), beam, device=device)
    found: list[list[Written]] = [[] for _ in range(count)]
    length = 0
    while len(owners):
        length += 1
        chances, state = step(written[:, -1], state, owners)
        width = min(beam, chances.shape[1])
        chance, token = chances.topk(width)
        # Each sequence's candidates side by side: those of its first row, of its second one and so on.
        first = torch.searchsorted(owners, owners)
        place = torch.arange(len(owners), device=device) - first
        table = scores.new_full((count, beam, width), -torch.inf)
        table[owners, place] = scores[:, None] + chance
        best, at = table.flatten(1).topk(min(beam, beam * width))
        kept = best.isfinite() & (torch.arange(best.shape[1], device=device) < room[:, None])
        owner, rank = kept.nonzero(as_tuple=True)
        at = at[owner, rank]
        parent = torch.searchsorted(owners, owner) + at // width
        scores, last = best[owner, rank], token[parent, at % width]
        written = torch.cat([written[parent], last[:, None]], dim=1)
        done = (last == end) | (length >= limits[owner])
        for row in done.nonzero().flatten().tolist():
            tokens = written[row, 1:].tolist()
            total = scores[row].item() / length_penalty(length, alpha)
            found[int(owner[row])].append(Written(tokens[:-1] if tokens[-1] == end else tokens, total))
        room -= torch.bincount(owner[done], minlength=count)
        left = ~done
        owners, scores, written, state = owner[left], scores[left], written[left], state.select(parent[left])
    return [max(some, key=lambda one: one.score) for some in found]
