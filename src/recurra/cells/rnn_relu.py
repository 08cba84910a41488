"""Simple recurrent network with rectified units.

    h' = max(0, wx + U h)

Le, Jaitly & Hinton 2015, https://arxiv.org/abs/1504.00941; the form of torch.nn.RNN(nonlinearity="relu").
They start U at the identity; here it is orthogonal, which also neither grows nor shrinks the state.

Choose it to compare with, or for memory without decay where gradients are clipped: nothing bounds its state.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("h",), states=("h",))
def rnn_relu(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("H", "H")) -> Tensor:
    """wx: [rows, H] projected input, bias included. h: [rows, H]. U: [H, H]. Returns h' [rows, H]."""
    return (wx + linear(h, U)).relu()
