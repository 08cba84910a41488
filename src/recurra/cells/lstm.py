"""Long short-term memory, without peepholes.

    i  = sigmoid(wx_i + U_i h)          input gate
    f  = sigmoid(wx_f + U_f h)          forget gate
    g  = tanh(wx_g + U_g h)             candidate
    o  = sigmoid(wx_o + U_o h)          output gate
    c' = f * c + i * g
    h' = o * tanh(c')

Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; the forget gate is from
Gers, Schmidhuber & Cummins 2000, https://doi.org/10.1162/089976600300015015, and its bias starts at 1
(Jozefowicz et al. 2015, https://proceedings.mlr.press/v37/jozefowicz15.html). The form of torch.nn.LSTM.

Choose it first: most published results are of it, and its c, which nothing bounds, can count and carry over long
stretches.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("i", "f", "g", "o"), states=("h", "c"), bias={"f": 1.0}, memory={"i": -1, "f": 1})
def lstm(wx: Tensor, h: Tensor, c: Tensor, *, U: Tensor = Matrix("4H", "H")) -> tuple[Tensor, Tensor]:
    """wx: [rows, 4H] projected input, bias included. h, c: [rows, H]. U: [4H, H]. Returns h', c' [rows, H]."""
    i, f, g, o = (wx + linear(h, U)).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * c.tanh(), c
