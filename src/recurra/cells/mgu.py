"""Minimal gated unit: one gate, which both resets and updates.

    f  = sigmoid(wx_f + U h)                  the gate
    n  = tanh(wx_n + V (f * h))               candidate
    h' = (1 - f) * h + f * n

Zhou et al. 2016, https://arxiv.org/abs/1603.09420.

Choose it for two thirds of the GRU's weights. Its step has two products in a row, so it is no faster.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("f", "n"), states=("h",), memory={"f": -1})
def mgu(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("H", "H"), V: Tensor = Matrix("H", "H")) -> Tensor:
    """wx: [rows, 2H] projected input, bias included. h: [rows, H]. U, V: [H, H]. Returns h' [rows, H]."""
    wx_f, wx_n = wx.chunk(2, dim=-1)
    f = (wx_f + linear(h, U)).sigmoid()
    n = (wx_n + linear(f * h, V)).tanh()
    return (1 - f) * h + f * n
