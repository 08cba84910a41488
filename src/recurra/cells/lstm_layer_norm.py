"""Long short-term memory with layer normalisation.

    i, f, g, o = norm(wx; s) + norm(U h; t) + b
    c' = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h' = sigmoid(o) * tanh(norm(c'; u) + v)

norm(x; s) = s * (x - mean(x)) / sqrt(variance(x) + 1e-5), over all gates at once. Ba, Kiros & Hinton 2016,
https://arxiv.org/abs/1607.06450, equations 20 to 22. A bias of the input projection is normalised away but for how it
differs between units; the gates' own bias is b.

Choose it over lstm where training is unstable or the scale of inputs varies: each step of each sequence is normalised
by itself, whatever is in the batch.
"""

from torch import Tensor

from recurra.cells._norm import norm
from recurra.cells.base import Matrix, Vector, cell, linear


@cell(gates=("i", "f", "g", "o"), states=("h", "c"), memory={"i": -1, "f": 1})
def lstm_layer_norm(
    wx: Tensor,
    h: Tensor,
    c: Tensor,
    *,
    U: Tensor = Matrix("4H", "H"),
    s: Tensor = Vector("4H", init=1.0),
    t: Tensor = Vector("4H", init=1.0),
    b: Tensor = Vector("4H", gates=True),
    u: Tensor = Vector("H", init=1.0),
    v: Tensor = Vector("H"),
) -> tuple[Tensor, Tensor]:
    """wx: [rows, 4H] projected input. h, c: [rows, H]. U: [4H, H]. s, t, b: [4H]. u, v: [H]. Returns h', c'."""
    i, f, g, o = (s * norm(wx) + t * norm(linear(h, U)) + b).chunk(4, dim=-1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    return o.sigmoid() * (u * norm(c) + v).tanh(), c
