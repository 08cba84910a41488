"""Real-gated linear recurrent unit.

    r, i = sigmoid(wx_r), sigmoid(wx_i)       recurrence and input gate
    a  = sigmoid(decay) ^ (8 r)
    h' = a * h + sqrt(1 - a^2) * (i * wx_x)

De et al. 2024, https://arxiv.org/abs/2402.19427, equations 1 to 4, whose x is here projected to H units. decay starts
so that a lies between 0.9 and 0.999 where r = 1.

Choose it for very long sequences: a unit starts with a memory of ten to a thousand steps, and the closer it holds on,
the less enters.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from recurra.cells.base import Vector, cell

SHARPNESS = 8.0


def lost(x: Tensor) -> Tensor:
    """1 - exp(-x) for x >= 0, to the last digits also where little is lost."""
    series = x * (1 - x / 2 * (1 - x / 3 * (1 - x / 4 * (1 - x / 5))))
    return torch.where(x < 0.1, series, 1 - (-x).exp())


@cell(gates=("r", "i", "x"), states=("h",))
def rg_lru(wx: Tensor, h: Tensor, *, decay: Tensor = Vector("H", init=(4.3, 9.0))) -> Tensor:
    """wx: [rows, 3H] projected input, bias included. h: [rows, H]. decay: [H]. Returns h' [rows, H]."""
    r, i, x = wx.chunk(3, dim=-1)
    rate = SHARPNESS * softplus(-decay) * r.sigmoid()
    # The root's slope has no bound where a nears 1.
    entering = lost(2 * rate).clamp(min=1e-6).sqrt()
    return (-rate).exp() * h + entering * (i.sigmoid() * x)
