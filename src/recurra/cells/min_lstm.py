"""Minimal long short-term memory: gates and candidate see the input alone.

    f, i = sigmoid(wx_f), sigmoid(wx_i)       forget and input gate
    h'   = (f * h + i * wx_n) / (f + i)

Feng et al. 2024, https://arxiv.org/abs/2410.01201; the two gates are made to sum to 1.

Choose it as min_gru, where the memory should weigh old against new by two gates instead of one.
"""

from torch import Tensor

from recurra.cells.base import cell


@cell(gates=("f", "i", "n"), states=("h",), memory={"f": 1, "i": -1})
def min_lstm(wx: Tensor, h: Tensor) -> Tensor:
    """wx: [rows, 3H] projected input, bias included. h: [rows, H]. Returns h' [rows, H]."""
    f, i, n = wx.chunk(3, dim=-1)
    f, i = f.sigmoid(), i.sigmoid()
    # Both gates may come out as 0 where both are shut beyond the type's range.
    keep = f / (f + i).clamp(min=1e-30)
    return keep * h + (1 - keep) * n
