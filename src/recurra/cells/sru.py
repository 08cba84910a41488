"""Simple recurrent unit: every unit's memory is its own, and the input may pass it by.

    f  = sigmoid(wx_f + v * c)                forget gate
    r  = sigmoid(wx_r + w * c)                highway gate
    c' = f * c + (1 - f) * wx_n
    h' = r * c' + (1 - r) * wx_x

Lei et al. 2018, https://arxiv.org/abs/1709.02755, equations 3 to 6. wx_x is the input that passes by, projected to H
units; they project it only where its width is another.

Choose it for deep stacks over long sequences: the input may pass each layer by. It projects the input four times, which
takes most of its time.
"""

from torch import Tensor

from recurra.cells.base import Vector, cell


@cell(gates=("n", "f", "r", "x"), states=("h", "c"), memory={"f": 1})
def sru(
    wx: Tensor,
    h: Tensor,
    c: Tensor,
    *,
    v: Tensor = Vector("H", init=(-1.0, 1.0)),
    w: Tensor = Vector("H", init=(-1.0, 1.0)),
) -> tuple[Tensor, Tensor]:
    """wx: [rows, 4H] projected input, bias included. h, c: [rows, H]. v, w: [H]. Returns h', c' [rows, H]."""
    n, f, r, x = wx.chunk(4, dim=-1)
    f, r = (f + v * c).sigmoid(), (r + w * c).sigmoid()
    c = f * c + (1 - f) * n
    return r * c + (1 - r) * x, c
