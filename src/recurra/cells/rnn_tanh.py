"""Simple recurrent network.

    h' = tanh(wx + U h)

Elman 1990, https://doi.org/10.1207/s15516709cog1402_1; the form of torch.nn.RNN.

Choose it to compare with, or for short dependencies: the fewest weights and the fastest step with a product.
"""

from torch import Tensor

from recurra.cells.base import Matrix, cell, linear


@cell(gates=("h",), states=("h",))
def rnn_tanh(wx: Tensor, h: Tensor, *, U: Tensor = Matrix("H", "H")) -> Tensor:
    """wx: [rows, H] projected input, bias included. h: [rows, H]. U: [H, H]. Returns h' [rows, H]."""
    return (wx + linear(h, U)).tanh()
