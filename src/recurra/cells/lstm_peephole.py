"""Long short-term memory whose gates look at the cell.

    i  = sigmoid(wx_i + U_i h + p_i * c)      input gate
    f  = sigmoid(wx_f + U_f h + p_f * c)      forget gate
    g  = tanh(wx_g + U_g h)                   candidate
    c' = f * c + i * g
    o  = sigmoid(wx_o + U_o h + p_o * c')     output gate
    h' = o * tanh(c')

Gers & Schmidhuber 2000, https://doi.org/10.1109/IJCNN.2000.861302. p_i, p_f, p_o side by side are p; ONNX's P holds
them in the order i, o, f.

Choose it where exact timing matters, as its gates see c even when the output gate is shut; and for ONNX's weights with
P.
"""

from torch import Tensor

from recurra.cells.base import Matrix, Vector, cell, linear


@cell(gates=("i", "f", "g", "o"), states=("h", "c"), bias={"f": 1.0}, memory={"i": -1, "f": 1})
def lstm_peephole(
    wx: Tensor, h: Tensor, c: Tensor, *, U: Tensor = Matrix("4H", "H"), p: Tensor = Vector("3H")
) -> tuple[Tensor, Tensor]:
    """wx: [rows, 4H] projected input, bias included. h, c: [rows, H]. U: [4H, H]. p: [3H]. Returns h', c' [rows, H]."""
    i, f, g, o = (wx + linear(h, U)).chunk(4, dim=-1)
    p_i, p_f, p_o = p.chunk(3, dim=-1)
    c = (f + p_f * c).sigmoid() * c + (i + p_i * c).sigmoid() * g.tanh()
    return (o + p_o * c).sigmoid() * c.tanh(), c
