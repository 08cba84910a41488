"""What each step of a sequence adds to a score of the whole: integrated gradients.

    contribution_t = sum over features of (x_t - b_t) * mean over a in [0, 1] of d score(b + a (x - b)) / d x_t

Sundararajan, Taly & Yan 2017, https://arxiv.org/abs/1703.01365. The contributions of a sequence add up to
score(x) - score(b), b being the baseline; the mean is taken over the middles of equal parts of the way.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from recurra.sequences import Ragged
from recurra.sequences.layout import Layout

# Of sentences that a trained classifier reads, contributions then add up to within 0.01 nats or so.
POINTS = 32
# Points are taken together until a pass has so many steps.
STEPS = 16_384


@dataclass(frozen=True)
class Attribution:
    """contributions: [N], of each step. score, baseline: [B], of the sequences and of what they are compared with."""

    contributions: Ragged
    score: Tensor
    baseline: Tensor


def integrated_gradients(
    score: Callable[[Ragged, Tensor], Tensor], x: Ragged, baseline: Tensor, points: int = POINTS
) -> Attribution:
    """How much each step adds to its sequence's score.

    score: of R sequences like those of x, and of which of x's each of them is, [R]; returns [R], differentiable, each
    sequence's alone. x: values [N, F]. baseline: [N, F]. points: where on the way gradients are taken.

    >>> def total(x, rows):
    ...     return torch.zeros(len(x)).index_add(0, x.layout.rows, x.values[:, 0] ** 2)
    >>> x = Ragged.from_list([torch.tensor([[1.0], [3.0]]), torch.tensor([[2.0]])])
    >>> integrated_gradients(total, x, torch.zeros(3, 1)).contributions.values
    tensor([1., 9., 4.])
    """
    start, way, rows = baseline.detach(), (x.values - baseline).detach(), torch.arange(len(x), device=x.values.device)
    gradient = torch.zeros_like(way)
    places = (torch.arange(points, device=way.device, dtype=way.dtype) + 0.5) / points
    for part in torch.split(places, max(1, STEPS // max(1, len(way)))):
        with torch.enable_grad():
            between = (start + part[:, None, None] * way).flatten(0, 1).requires_grad_()
            layout = Layout.of_lengths(x.lengths.repeat(len(part)))
            found = score(Ragged.of_layout(between, layout), rows.repeat(len(part)))
            (slope,) = torch.autograd.grad(found.sum(), between)
        gradient += slope.view(len(part), *way.shape).sum(0)
    with torch.no_grad():
        ends = [score(x.with_values(values), rows) for values in (start + way, start)]
    return Attribution(x.with_values((gradient * way).sum(-1) / points), *ends)
