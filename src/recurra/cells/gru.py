"""Gated recurrent unit, reset gate applied after the recurrent product.

    r  = sigmoid(wx_r + U_r h + b_r)          reset gate
    z  = sigmoid(wx_z + U_z h + b_z)          update gate
    n  = tanh(wx_n + r * (U_n h + b_n))       candidate
    h' = (1 - z) * n + z * h

Cho et al. 2014, https://arxiv.org/abs/1406.1078; resetting after the product is cuDNN's and
torch.nn.GRU's form.

Choose it where weights or data are few: three quarters of the LSTM's weights and one state. Its state stays within -1
and 1, so it cannot count without end.
"""

from torch import Tensor

from recurra.cells.base import Matrix, Vector, cell, linear


@cell(gates=("r", "z", "n"), states=("h",), memory={"z": 1})
def gru(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("3H", "H"), b: Tensor = Vector("3H")) -> Tensor:
    """wx: [rows, 3H] projected input, bias included. h: [rows, H]. U: [3H, H]. b: [3H]. Returns h' [rows, H]."""
    wx_r, wx_z, wx_n = wx.chunk(3, dim=-1)
    uh_r, uh_z, uh_n = linear(h, U, b).chunk(3, dim=-1)
    r = (wx_r + uh_r).sigmoid()
    z = (wx_z + uh_z).sigmoid()
    n = (wx_n + r * uh_n).tanh()
    return (1 - z) * n + z * h
