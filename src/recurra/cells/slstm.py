"""Long short-term memory with exponential input gate, a normaliser and a stabiliser.

    i, f, g, o = wx + U h
    m' = max(log sigmoid(f) + m, i)           stabiliser: the larger exponent
    i' = exp(i - m'),  f' = exp(log sigmoid(f) + m - m')
    c' = f' * c + i' * tanh(g)
    n' = f' * n + i'
    h' = sigmoid(o) * c' / n'

Beck et al. 2024, https://arxiv.org/abs/2405.04517, equations 8 to 17, with the sigmoid forget gate. m changes no
result; it only keeps the exponentials in range. U is block-diagonal where the layer has several heads.

Choose it where something stored must give way at once to something more important: exp(i) may outweigh all that is in
memory. Four states instead of two.
"""

import torch
from torch import Tensor
from torch.nn.functional import softplus

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("i", "f", "g", "o"), states=("h", "c", "n", "m"), bias={"f": 3.0}, memory={"i": -1, "f": 1})
def slstm(
    wx: Tensor, h: Tensor, c: Tensor, n: Tensor, m: Tensor, *, U: Tensor = Matrix("4H", "H", heads=True)
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """wx: [rows, 4H] projected input, bias included. h, c, n, m: [rows, H]. U: [4H, H]. Returns h', c', n', m'."""
    i, f, g, o = (wx + linear(h, U)).chunk(4, dim=-1)
    kept = m - softplus(-f)
    m = torch.maximum(kept, i)
    i, f = (i - m).exp(), (kept - m).exp()
    c = f * c + i * g.tanh()
    n = f * n + i
    return o.sigmoid() * c / n.clamp(min=1e-30), c, n, m
