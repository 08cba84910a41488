"""Minimal gated recurrent unit: gate and candidate see the input alone, so no step waits for a product of the last.

    z  = sigmoid(wx_z)                        update gate
    h' = (1 - z) * h + z * wx_n

Feng et al. 2024, https://arxiv.org/abs/2410.01201.

Choose it for long sequences where speed matters most. Its gate cannot hear what is remembered: stack several, so that
an upper layer reacts to what a lower one holds.
"""

from torch import Tensor

from recurra.cells.base import cell


@cell(gates=("z", "n"), states=("h",), memory={"z": -1})
def min_gru(wx: Tensor, h: Tensor) -> Tensor:
    """wx: [rows, 2H] projected input, bias included. h: [rows, H]. Returns h' [rows, H]."""
    z, n = wx.chunk(2, dim=-1)
    z = z.sigmoid()
    return (1 - z) * h + z * n
