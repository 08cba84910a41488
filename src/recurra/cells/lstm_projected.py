"""Long short-term memory whose output is projected to R units.

    i  = sigmoid(wx_i + U_i h)          input gate
    f  = sigmoid(wx_f + U_f h)          forget gate
    g  = tanh(wx_g + U_g h)             candidate
    o  = sigmoid(wx_o + U_o h)          output gate
    c' = f * c + i * g
    h' = V (o * tanh(c'))               projection to R units

Sak, Senior & Beaufays 2014, https://arxiv.org/abs/1402.1128, without peepholes; the form of
torch.nn.LSTM(proj_size=R).

Choose it where memory should be wide and the output narrow: before large vocabularies, or to save recurrent weights, of
which there are 5HR instead of 4H².
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("i", "f", "g", "o"), states={"h": "R", "c": "H"}, bias={"f": 1.0}, memory={"i": -1, "f": 1})
def lstm_projected(
    wx: Tensor, h: Tensor, c: Tensor, *, U: Tensor = Matrix("4H", "R"), V: Tensor = Matrix("R", "H")
) -> tuple[Tensor, Tensor]:
    """wx: [rows, 4H] projected input, bias included. h: [rows, R]. c: [rows, H]. U: [4H, R]. V: [R, H].

    Returns h' [rows, R], c' [rows, H].
    """
    i, f, g, o = (wx + linear(h, U)).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return linear(o.sigmoid() * c.tanh(), V), c
