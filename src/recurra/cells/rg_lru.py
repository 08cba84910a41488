"""Real-gated linear recurrent unit.

    r, i = sigmoid(wx_r), sigmoid(wx_i)       recurrence and input gate
    a  = sigmoid(decay) ^ (8 r)
    h' = a * h + sqrt(1 - a^2) * (i * wx_x)

De et al. 2024, https://arxiv.org/abs/2402.19427, equations 1 to 4, whose x is here projected to H units. decay starts
so that a lies between 0.9 and 0.999 where r = 1.
"""

from torch import Tensor
from torch.nn.functional import softplus

from recurra.cells.base import Vector, cell

SHARPNESS = 8.0


@cell(gates=("r", "i", "x"), states=("h",))
def rg_lru(wx: Tensor, h: Tensor, *, decay: Tensor = Vector("H", init=(4.3, 9.0))) -> Tensor:
    """wx: [rows, 3H] projected input, bias included. h: [rows, H]. decay: [H]. Returns h' [rows, H]."""
    r, i, x = wx.chunk(3, dim=-1)
    a = (-SHARPNESS * softplus(-decay) * r.sigmoid()).exp()
    # The root's slope has no bound where a nears 1.
    return a * h + (1 - a * a).clamp(min=1e-6).sqrt() * (i.sigmoid() * x)
