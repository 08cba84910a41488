"""What a loss may add to keep a recurrent layer's outputs small and slow.

Merity, McCann & Socher 2017, Revisiting Activation Regularization for Language RNNs, https://arxiv.org/abs/1708.01009.
"""

from torch import Tensor

from recurra.sequences import Ragged


def activation_penalty(y: Ragged) -> Tensor:
    """The mean square of values [N, F]; of a layer's output as dropout leaves it."""
    return y.values.square().mean()


def slowness_penalty(y: Ragged) -> Tensor:
    """The mean square of the change from one step of a sequence to the next, of values [N, F]; 0 without a change.

    >>> import torch
    >>> slowness_penalty(Ragged.from_list([torch.tensor([[1.0], [3.0]]), torch.tensor([[9.0]])]))
    tensor(4.)
    """
    same = y.layout.rows[1:] == y.layout.rows[:-1]
    changes = y.values.diff(dim=0)[same]
    return changes.square().sum() / max(1, changes.numel())
