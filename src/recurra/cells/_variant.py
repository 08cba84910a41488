"""Cells made of cells: what regularises a recurrence from inside, for any cell.

The result is a cell like any other: it is compiled, streamed and run step by step in the same ways.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear
from torch.overrides import TorchFunctionMode

from recurra.cells.base import Cell, Random, Size, clip_gradient
from recurra.errors import InputError, UnknownNameError


def variant(
    cell: Cell,
    *,
    dropout: bool = False,
    zoneout: Mapping[str, float] | None = None,
    expected: bool = False,
    clip: float = 0.0,
) -> Cell:
    """A cell with something added to its equations; the cell itself where nothing is.

    dropout: what enters the k-th matrix product of a step is multiplied by the random value ``dropout_k``, a mask that
    is fixed for a sequence (Gal & Ghahramani 2016, https://arxiv.org/abs/1512.05287).
    zoneout: by state, how likely a unit keeps its value of the step before; drawn from keys ``zoneout_STATE``
    (Krueger et al. 2017, https://arxiv.org/abs/1606.01305). expected: not drawn, but the mean of both, weighted.
    clip: bound of each element of the gradient that a state carries from a step to the one before; 0: none.
    Raises InputError for dropout in a cell without products, UnknownNameError for a state that the cell has not.

    >>> from recurra.cells.lstm import lstm
    >>> variant(lstm, dropout=True, zoneout={"c": 0.1}).given
    ('U', 'dropout_0', 'zoneout_c')
    """
    rates = tuple((state, rate) for state, rate in (zoneout or {}).items() if rate > 0)
    for state, _ in rates:
        if state not in cell.states:
            raise UnknownNameError(f"state of {cell.name}", state, cell.states)
    if clip < 0:
        raise InputError(f"clip_gradient: expected 0 or more, got {clip}")
    if not (dropout or rates or clip):
        return cell
    return _variant(cell, dropout, rates, expected, clip)


@cache
def _variant(cell: Cell, dropout: bool, zoneout: tuple[tuple[str, float], ...], expected: bool, clip: float) -> Cell:
    return _Variant(cell, dropout, dict(zoneout), expected, clip)


class _Variant(Cell):
    def __init__(self, cell: Cell, dropout: bool, zoneout: dict[str, float], expected: bool, clip: float):
        vars(self).update(vars(cell))
        self._cell, self._zoneout, self._expected, self._clip = cell, zoneout, expected, clip
        self.key = self._register()
        entered = _entered(cell) if dropout else []
        if dropout and not entered:
            raise InputError(f"recurrent dropout: {cell.name} has no matrix product that it could act on")
        masks = {f"dropout_{k}": size for k, size in enumerate(entered)}
        keys = {} if expected else {f"zoneout_{state}": cell.state_sizes()[state] for state in zoneout}
        self._masks = tuple(masks)
        self.random = {**cell.random}
        self.random |= {name: Random(str(size), "sequence") for name, size in masks.items()}
        self.random |= {name: Random(str(size), "step") for name, size in keys.items()}
        self._random_sizes = {**cell.random_sizes(), **masks, **keys}

    def __reduce__(self) -> tuple[Any, ...]:  # type: ignore[override]
        rates = tuple(self._zoneout.items())
        return _variant, (self._cell, bool(self._masks), rates, self._expected, self._clip)

    def __call__(self, wx: Tensor, *states: Tensor, **params: Tensor) -> tuple[Tensor, ...]:
        if self._clip:
            states = tuple(clip_gradient(s, self._clip) for s in states)
        own = {name: params[name] for name in self._cell.given}
        masks = [params[name] for name in self._masks]
        if masks:
            with _Products(lambda k, x, weight: x * masks[k]):
                new = self._cell(wx, *states, **own)
        else:
            new = self._cell(wx, *states, **own)
        if not self._zoneout:
            return new
        zoned = zip(self.states, states, new, strict=True)
        return tuple(self._zoned(name, before, after, params) for name, before, after in zoned)

    def _zoned(self, name: str, before: Tensor, after: Tensor, params: Mapping[str, Tensor]) -> Tensor:
        rate = self._zoneout.get(name)
        if rate is None:
            return after
        if self._expected:
            return rate * before + (1 - rate) * after
        return torch.where(params[f"zoneout_{name}"] < rate, before, after)


class _Products(TorchFunctionMode):
    """Inside it, what enters a matrix product is what ``change`` makes of it. change: gets number, input and weight."""

    def __init__(self, change: Callable[[int, Tensor, Tensor], Tensor]):
        super().__init__()
        self.change, self.count = change, 0

    def __torch_function__(
        self, function: Any, types: Any, args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if function is linear:
            x, weight, *rest = args
            args = (self.change(self.count, x, weight), weight, *rest)
            self.count += 1
        return function(*args, **(kwargs or {}))


def _entered(cell: Cell) -> list[Size]:
    """The size of what enters each matrix product of a step, in their order."""
    found: list[Size] = []
    shapes = {name: torch.zeros(shape) for name, shape in cell.parameter_shapes(5, 3).items()}
    columns = {id(shapes[name]): sizes[1] for name, sizes in cell.param_sizes().items() if len(sizes) == 2}

    def see(k: int, x: Tensor, weight: Tensor) -> Tensor:
        found.append(columns[id(weight)])
        return x

    random = {name: torch.zeros(1, size(5, 3)) for name, size in cell.random_sizes().items()}
    with _Products(see):
        cell(
            torch.zeros(1, 5 * len(cell.gates)),
            *(torch.zeros(1, s) for s in cell.sizes(5, 3).values()),
            **shapes,
            **random,
        )
    return found
