"""Gated recurrent unit, reset gate applied to the state before the recurrent product.

    r  = sigmoid(wx_r + U_r h)                reset gate
    z  = sigmoid(wx_z + U_z h)                update gate
    n  = tanh(wx_n + V (r * h))               candidate
    h' = (1 - z) * n + z * h

Cho et al. 2014, https://arxiv.org/abs/1406.1078; Keras' GRU(reset_after=False), ONNX's with linear_before_reset=0.

Choose it for weights of Keras, ONNX or papers in this form. Else gru is faster: its step has one product, this one two
in a row.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("r", "z", "n"), states=("h",), memory={"z": 1})
def gru_reset_before(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("2H", "H"), V: Tensor = Matrix("H", "H")) -> Tensor:
    """wx: [rows, 3H] projected input, bias included. h: [rows, H]. U: [2H, H]. V: [H, H]. Returns h' [rows, H]."""
    wx_r, wx_z, wx_n = wx.chunk(3, dim=-1)
    uh_r, uh_z = linear(h, U).chunk(2, dim=-1)
    z = (wx_z + uh_z).sigmoid()
    n = (wx_n + linear((wx_r + uh_r).sigmoid() * h, V)).tanh()
    return (1 - z) * n + z * h
