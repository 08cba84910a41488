"""Independently recurrent network: every unit hears the input and its own past, and no other unit.

    h' = max(0, wx + u * h)

Li et al. 2018, https://arxiv.org/abs/1803.04831. A unit's gradient through T steps is at most |u|^T, so what is to be
remembered over T steps needs |u| near 1; u starts between 0 and 1, evenly.

Choose it for very long sequences and deep stacks: a step costs almost nothing, and how long each unit remembers can be
read off u. Units hear each other only in the next layer.
"""

from torch import Tensor

from recurra.cells.base import Vector, cell


@cell(gates=("h",), states=("h",))
def indrnn(wx: Tensor, h: Tensor, *, u: Tensor = Vector("H", init=(0.0, 1.0))) -> Tensor:
    """wx: [rows, H] projected input, bias included. h: [rows, H]. u: [H]. Returns h' [rows, H]."""
    return (wx + u * h).relu()
