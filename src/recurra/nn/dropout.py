"""Dropout that knows what a sequence is."""

from torch import Tensor, nn

from recurra.nn.checks import check_probability
from recurra.sequences import Ragged


class Dropout(nn.Module):
    """Zeroes features of the steps while training, and scales the others up.

    p: probability that a feature is zeroed. variational: the same features at every step of a sequence (Gal &
    Ghahramani 2016, https://arxiv.org/abs/1512.05287); else anew at each.

    >>> import torch
    >>> dropout = Dropout(0.5, variational=True)
    >>> x = Ragged.from_list([torch.ones(4, 3), torch.ones(2, 3)])
    >>> y = dropout(x)
    >>> torch.equal(y[0][0], y[0][3])
    True
    """

    def __init__(self, p: float, *, variational: bool = False):
        super().__init__()
        check_probability("dropout", p)
        self.p, self.variational = p, variational

    def forward(self, x: Ragged) -> Ragged:
        """x: values [N, ...]. Returns the like."""
        if not (self.p and self.training):
            return x
        if not self.variational:
            return x.with_values(nn.functional.dropout(x.values, self.p))
        masks = nn.functional.dropout(x.values.new_ones(len(x), *x.values.shape[1:]), self.p)
        return x.with_values(x.values * masks.repeat_interleave(x.lengths, dim=0))

    def extra_repr(self) -> str:
        return f"{self.p}" + (", variational=True" if self.variational else "")


def embedding_dropout(vectors: Tensor, ids: Tensor, size: int, p: float) -> Tensor:
    """Tokens' vectors; those of a share of the vocabulary are zeroed wherever they occur, the others scaled up.

    vectors: [N, F]. ids: [N], from 0 to size. Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287.
    """
    kept = nn.functional.dropout(vectors.new_ones(size, 1), p)
    return vectors * kept[ids]
