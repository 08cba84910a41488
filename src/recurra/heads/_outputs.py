"""What is said of a number that is not known yet: one value, quantiles, or a distribution with parameters.

All work on standardised numbers; ``unit`` is how large counts are on the whole.
"""

import math
from abc import ABC, abstractmethod

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from recurra.timeline import Numbers

LEAST = 1e-3
# The deviation that softplus gives for this is 1, that of the standardised numbers.
ONE = math.log(math.e - 1)
LEAST_DEVIATION = 1e-4
BISECTIONS = 60


class Output(ABC):
    """size: numbers that the network gives for each. counts: whether they are about y itself, and not scaled.
    degree: the loss of numbers c times as large is c to this power times as large, but for what is always the same.
    """

    size: int
    counts = False
    degree = 0

    @abstractmethod
    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        """given: [..., size]. wanted: [...]. unit: broadcast to them. Returns [...]."""

    @abstractmethod
    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        """given: [..., size]. level, unit: broadcast to [...]. Returns the level's value, [...]."""

    def beginning(self) -> Tensor:
        """What a network is to give before it has learnt anything, [size]."""
        return torch.zeros(self.size)

    def middle(self, given: Tensor) -> Tensor:
        """The mean or median of standardised numbers, [...], which gradients flow through."""
        return given[..., 0]

    def quantiles(self, given: Tensor, levels: Numbers, unit: Numbers) -> Numbers:
        """Every level's value, [..., L]."""
        return self.at(given[..., None, :], levels, unit[..., None])


class Point(Output):
    """The median (absolute error) or the mean (squared error)."""

    size = 1

    def __init__(self, squared: bool):
        self.squared, self.degree = squared, 1 + squared

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        error = given[..., 0] - wanted
        return error.square() / 2 if self.squared else error.abs()

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        value = _numbers(given)[..., 0]
        return np.broadcast_to(value, np.broadcast_shapes(value.shape, level.shape)).copy()


class Quantiles(Output):
    """A value for each level; the loss is twice the mean pinball loss (Koenker & Bassett 1978)."""

    degree = 1

    def __init__(self, levels: tuple[float, ...]):
        self.levels, self.size = levels, len(levels)

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        error = wanted[..., None] - given
        level = given.new_tensor(self.levels)
        return 2 * torch.maximum(level * error, (level - 1) * error).mean(-1)

    def beginning(self) -> Tensor:
        """Those of the normal distribution."""
        return torch.special.ndtri(torch.tensor(self.levels))  # type: ignore[no-any-return]

    def middle(self, given: Tensor) -> Tensor:
        return given[..., self.levels.index(0.5)]

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        """Between two of its levels on a straight line."""
        values = np.sort(_numbers(given), axis=-1)
        place = np.interp(level, self.levels, np.arange(self.size))
        shape = np.broadcast_shapes(values.shape[:-1], place.shape)
        values, place = np.broadcast_to(values, (*shape, self.size)), np.broadcast_to(place, shape)
        low = np.minimum(place.astype(int), self.size - 1)
        ends = np.stack([low, np.minimum(low + 1, self.size - 1)], axis=-1)
        below, above = np.moveaxis(np.take_along_axis(values, ends, -1), -1, 0)
        return np.asarray(below + (above - below) * (place - low))


class Gaussian(Output):
    """Mean and deviation (Nix & Weigend 1994, https://doi.org/10.1109/ICNN.1994.374138); the loss is without the nats
    that are always the same, half of log(2 pi)."""

    size = 2

    def _parameters(self, given: Tensor) -> tuple[Tensor, Tensor]:
        mean, deviation = given.unbind(-1)
        return mean, functional.softplus(deviation + ONE) + LEAST_DEVIATION

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        mean, deviation = self._parameters(given)
        return ((wanted - mean) / deviation).square() / 2 + deviation.log()

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        from scipy.special import ndtri

        mean, deviation = map(_numbers, self._parameters(given))
        return np.asarray(mean + deviation * ndtri(level))


class Categorical(Output):
    """A probability for each of a few numbers, such as stars; the loss is in nats."""

    def __init__(self, numbers: tuple[float, ...]):
        """numbers: standardised, rising."""
        self.size, self.numbers = len(numbers), np.array(numbers)

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        """Of a number that is none of them, the nearest."""
        nearest = (wanted[..., None] - self._known(given)).abs().argmin(-1, keepdim=True)
        return -given.log_softmax(-1).gather(-1, nearest)[..., 0]

    def middle(self, given: Tensor) -> Tensor:
        return given.softmax(-1) @ self._known(given)

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        """The least of the numbers that so large a share does not exceed."""
        below = _numbers(given.double().softmax(-1).cumsum(-1))[..., :-1] < level[..., None]
        return np.asarray(self.numbers[below.sum(-1)])

    def _known(self, given: Tensor) -> Tensor:
        return torch.as_tensor(self.numbers, dtype=given.dtype, device=given.device)


class Student(Output):
    """Student's t: place, scale and degrees of freedom, which are above 2."""

    size = 3

    def _parameters(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        place, scale, freedom = given.unbind(-1)
        return place, functional.softplus(scale) + LEAST, 2 + functional.softplus(freedom + 2)

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        place, scale, freedom = self._parameters(given)
        distribution = torch.distributions.StudentT(freedom, place, scale, validate_args=False)
        return -distribution.log_prob(wanted)  # type: ignore[no-any-return, no-untyped-call]

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        from scipy.special import stdtrit

        place, scale, freedom = map(_numbers, self._parameters(given))
        return np.asarray(place + scale * stdtrit(freedom, level))


class NegativeBinomial(Output):
    """Counts: their mean as a multiple of ``unit``, and how much more they vary than Poisson's."""

    size, counts = 2, True

    def _parameters(self, given: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
        mean, extra = given.unbind(-1)
        return (functional.softplus(mean + 0.5413) + 1e-6) * unit, functional.softplus(extra) + 1e-4

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        mean, extra = self._parameters(given, unit)
        size = 1 / extra
        whole = torch.lgamma(wanted + size) - torch.lgamma(size) - torch.lgamma(wanted + 1)
        return -(whole + size * -torch.log1p(extra * mean) + wanted * (torch.log(mean) - torch.log(mean + size)))

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        from scipy.stats import nbinom

        mean, extra = map(_numbers, self._parameters(given, torch.as_tensor(unit)))
        return np.asarray(nbinom.ppf(level, 1 / extra, 1 / (1 + extra * mean)))


class Mixture(Output):
    """Several normal distributions, each with its weight, place and scale (Bishop 1994)."""

    def __init__(self, components: int):
        self.components, self.size = components, 3 * components

    def _parameters(self, given: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        weight, place, scale = given.reshape(*given.shape[:-1], 3, self.components).unbind(-2)
        # Components that begin alike would stay alike.
        apart = torch.linspace(-1, 1, self.components, dtype=given.dtype, device=given.device)
        return weight.log_softmax(-1), place + apart, functional.softplus(scale) + LEAST

    def middle(self, given: Tensor) -> Tensor:
        weight, place, _ = self._parameters(given)
        return (weight.exp() * place).sum(-1)

    def loss(self, given: Tensor, wanted: Tensor, unit: Tensor) -> Tensor:
        weight, place, scale = self._parameters(given)
        squares = ((wanted[..., None] - place) / scale).square() / 2
        return -(weight - squares - scale.log() - math.log(math.tau) / 2).logsumexp(-1)

    def at(self, given: Tensor, level: Numbers, unit: Numbers) -> Numbers:
        """By bisection between where the outermost components have it."""
        weight, place, scale = (x.double() for x in self._parameters(given))
        wanted = torch.as_tensor(level, dtype=torch.float64)
        ends = place + scale * torch.special.ndtri(wanted)[..., None]
        low, high = ends.amin(-1), ends.amax(-1)
        for _ in range(BISECTIONS):
            middle = (low + high) / 2
            below = (weight.exp() * torch.special.ndtr((middle[..., None] - place) / scale)).sum(-1) < wanted
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return _numbers((low + high) / 2)


def _numbers(values: Tensor) -> Numbers:
    return values.detach().cpu().double().numpy()
