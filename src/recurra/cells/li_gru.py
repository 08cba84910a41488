"""Light gated recurrent unit: no reset gate, rectified candidate.

    z  = sigmoid(wx_z + U_z h)                update gate
    n  = max(0, wx_n + U_n h)                 candidate
    h' = (1 - z) * n + z * h

Ravanelli et al. 2018, https://arxiv.org/abs/1803.10225. They normalise wx over the batch, which keeps the rectified
state from growing; over the features of a step, torch.nn.LayerNorm before the layer does the same.

Choose it for many short frames, such as speech: two thirds of the GRU's weights, and a candidate that does not
saturate. Normalise what it reads.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("z", "n"), states=("h",), memory={"z": 1})
def li_gru(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("2H", "H")) -> Tensor:
    """wx: [rows, 2H] projected input, bias included. h: [rows, H]. U: [2H, H]. Returns h' [rows, H]."""
    z, n = (wx + linear(h, U)).chunk(2, dim=-1)
    z = z.sigmoid()
    return (1 - z) * n.relu() + z * h
