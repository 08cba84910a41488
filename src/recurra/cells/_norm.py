"""Layer normalisation, as cells use it."""

from torch import Tensor

EPSILON = 1e-5


def norm(x: Tensor) -> Tensor:
    """[rows, units] with mean 0 and variance 1 in each row. Ba, Kiros & Hinton 2016."""
    centred = x - x.mean(-1, keepdim=True)
    return centred * (centred.square().mean(-1, keepdim=True) + EPSILON).rsqrt()
