"""Gated recurrent unit with layer normalisation.

    r, z = sigmoid(norm(wx_rz; s) + norm(U_rz h; t) + b)
    n    = tanh(norm(wx_n; s) + r * norm(U_n h; t) + b)
    h'   = (1 - z) * n + z * h

norm(x; s) = s * (x - mean(x)) / sqrt(variance(x) + 1e-5), over both gates at once and over the candidate. Ba, Kiros &
Hinton 2016, https://arxiv.org/abs/1607.06450, equations 23 to 26, with z the other way round, as in torch.nn.GRU.

Choose it over gru where training is unstable or the scale of inputs varies: each step of each sequence is normalised by
itself, whatever is in the batch.
"""

import torch
from torch import Tensor

from recurra.cells._norm import norm
from recurra.cells.base import Matrix, Vector, cell, linear


@cell(gates=("r", "z", "n"), states=("h",), memory={"z": 1})
def gru_layer_norm(
    wx: Tensor,
    h: Tensor,
    *,
    U: Tensor = Matrix("3H", "H"),
    s: Tensor = Vector("3H", init=1.0),
    t: Tensor = Vector("3H", init=1.0),
    b: Tensor = Vector("3H", gates=True),
) -> Tensor:
    """wx: [rows, 3H] projected input. h: [rows, H]. U: [3H, H]. s, t, b: [3H]. Returns h' [rows, H]."""
    wx_r, wx_z, wx_n = wx.chunk(3, dim=-1)
    uh_r, uh_z, uh_n = linear(h, U).chunk(3, dim=-1)
    x_rz, x_n = norm(torch.cat([wx_r, wx_z], dim=-1)), norm(wx_n)
    h_rz, h_n = norm(torch.cat([uh_r, uh_z], dim=-1)), norm(uh_n)
    x = s * torch.cat([x_rz, x_n], dim=-1) + b
    y = t * torch.cat([h_rz, h_n], dim=-1)
    (x_r, x_z, x_n), (y_r, y_z, y_n) = x.chunk(3, dim=-1), y.chunk(3, dim=-1)
    z = (x_z + y_z).sigmoid()
    n = (x_n + (x_r + y_r).sigmoid() * y_n).tanh()
    return (1 - z) * n + z * h
