"""Series as they might have been recorded just as well (Um et al. 2017, https://arxiv.org/abs/1706.00527)."""

import math

import torch
from torch import Tensor

from recurra.sequences import Ragged

# Stretches of a series in which its speed is drawn anew.
STRETCHES = 4


def jittered(series: Ragged, deviation: float) -> Ragged:
    """With noise on every number. values: [N, I]."""
    return series.with_values(series.values + deviation * torch.randn_like(series.values))


def rescaled(series: Ragged, deviation: float) -> Ragged:
    """With each channel of each series larger or smaller by a factor of about 1. values: [N, I]."""
    values = series.values
    factors = 1 + deviation * torch.randn(len(series), values.shape[1], device=values.device, dtype=values.dtype)
    return series.with_values(values * factors[series.layout.rows])


def turned(series: Ragged, degrees: float) -> Ragged:
    """With the vectors of each series turned alike, as by a device that is worn otherwise. values: [N, 3 * C], a
    vector's x, y and z beside each other, in one unit.

    degrees: deviation of the turn about each axis.
    """
    values = series.values
    axes = math.radians(degrees) * torch.randn(len(series), 1, 3, device=values.device, dtype=values.dtype)
    across = torch.linalg.cross(torch.eye(3, device=values.device, dtype=values.dtype).expand(len(series), 3, 3), axes)
    turns = torch.linalg.matrix_exp(across)[series.layout.rows]
    vectors = values.reshape(len(values), values.shape[1] // 3, 3)
    return series.with_values(torch.einsum("ncj,nij->nci", vectors, turns).flatten(1))


def warped(series: Ragged, deviation: float) -> Ragged:
    """Faster here and slower there, from the same beginning to the same end in as many steps. values: [N, I].

    deviation: of the speed's logarithm.
    """
    values, rows = series.values, series.layout.rows
    begin, last = series.offsets[:-1][rows], (series.lengths - 1)[rows]
    place = torch.arange(len(values), device=values.device) - begin
    drawn = torch.randn(len(series), STRETCHES + 1, device=values.device, dtype=torch.float64)
    speed = _between((deviation * drawn).exp(), rows, place / last.clamp(min=1) * STRETCHES)
    passed = (speed * (place > 0)).cumsum(0)
    passed = passed - passed[begin]
    reach = passed[begin + last].clamp(min=torch.finfo(torch.float64).tiny)
    moment = (passed / reach * last).clamp(max=last)
    before = moment.floor().long().clamp(max=(last - 1).clamp(min=0))
    share = (moment - before).to(values.dtype)[:, None]
    one, next_one = values[begin + before], values[begin + torch.minimum(before + 1, last)]
    return series.with_values(one + share * (next_one - one))


def _between(knots: Tensor, rows: Tensor, place: Tensor) -> Tensor:
    """Each row's knots [B, K + 1], read at places from 0 to K, [N], on straight lines between them."""
    low = place.floor().long().clamp(0, knots.shape[1] - 2)
    share = place - low
    return knots[rows, low] * (1 - share) + knots[rows, low + 1] * share
