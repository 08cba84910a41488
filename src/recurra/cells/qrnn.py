"""Quasi-recurrent network's pooling with forget and output gate.

    z, f, o = tanh(wx_z), sigmoid(wx_f), sigmoid(wx_o)
    c' = f * c + (1 - f) * z
    h' = o * c'

Bradbury et al. 2017, https://arxiv.org/abs/1611.01576 (fo-pooling). Their windows of several steps are a convolution
over time before the layer.

Choose it for long text over a convolution or embeddings: as fast as min_lstm, with an output gate that hides memory
until it is needed.
"""

from torch import Tensor

from recurra.cells.base import cell


@cell(gates=("z", "f", "o"), states=("h", "c"), memory={"f": 1})
def qrnn(wx: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """wx: [rows, 3H] projected input, bias included. h, c: [rows, H]. Returns h', c' [rows, H]."""
    z, f, o = wx.chunk(3, dim=-1)
    f = f.sigmoid()
    c = f * c + (1 - f) * z.tanh()
    return o.sigmoid() * c, c
