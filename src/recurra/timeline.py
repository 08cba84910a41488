"""A series in time, and the windows of it that a forecast is learnt from or made for."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Names = tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]


@dataclass(frozen=True, eq=False)
class Timeline:
    """One series on an even grid of T steps, those still to come included.

    id: its name. times: [T] datetime64[s], or int64 where steps are just counted. y: [T], NaN where it is missing or
    still to come. past: [T, P], known as far as y is. future: [T, K], known for the steps to come as well; NaN is a
    missing one. static: S numbers (NaN: missing) or texts, the same for all steps. names: of past, future and static.
    utc: the data gave times with a zone, and ``times`` are in UTC; else they are as a clock on the wall has them.
    """

    id: str
    times: NDArray[Any]
    y: Numbers
    past: Numbers
    future: Numbers
    static: tuple[float | str, ...] = ()
    names: Names = ((), (), ())
    utc: bool = False
    _carried: dict[int, Numbers] = field(default_factory=dict, init=False, repr=False)

    def carried(self, apart: int) -> Numbers:
        """y, and where it is missing the value ``apart`` steps before; NaN where that is missing too, and so on."""
        if apart not in self._carried:
            y = self.y.copy()
            for step in np.flatnonzero(np.isnan(y)):
                y[step] = y[step - apart] if step >= apart else np.nan
            self._carried[apart] = y
        return self._carried[apart]

    @cached_property
    def first_below_0(self) -> int:
        """The first step with y below 0; T: there is none."""
        below = self.y < 0
        return int(below.argmax()) if below.any() else len(below)

    @cached_property
    def known(self) -> NDArray[np.int64]:
        """[T + 1], how many values of y there are before each step."""
        return np.concatenate([[0], np.cumsum(~np.isnan(self.y))])

    @cached_property
    def digest(self) -> str:
        """The same for equal content only."""
        parts = (self.times, self.y, self.past, self.future)
        content = b"".join(part.tobytes() for part in parts) + repr(self.static).encode()
        return hashlib.blake2b(content, digest_size=16).hexdigest()


@dataclass(frozen=True)
class Window:
    """What is known of a series at one moment, and the steps after it.

    origin: the first step that is forecast, at least 1. horizon: how many are. steps: how many before it are read;
    fewer where the series begins later. until: where what may be looked at ends; 0: with the last step forecast.

    >>> line = Timeline("a", np.arange(5), np.arange(5.0), *[np.zeros((5, 0))] * 2)
    >>> window = Window(line, origin=3, horizon=2, steps=2)
    >>> window.history.tolist(), window.wanted.tolist(), window.length
    ([1.0, 2.0], [3.0, 4.0], 4)
    """

    line: Timeline = field(repr=False)
    origin: int
    horizon: int
    steps: int
    until: int = 0

    @property
    def start(self) -> int:
        """The first step that is read."""
        return max(0, self.origin - self.steps)

    @property
    def end(self) -> int:
        """After the last step that is forecast."""
        return self.origin + self.horizon

    @property
    def length(self) -> int:
        """Steps read and forecast together."""
        return self.end - self.start

    @property
    def history(self) -> Numbers:
        """[T - h], what is read of y."""
        return self.line.y[self.start : self.origin]

    @property
    def wanted(self) -> Numbers:
        """[h], what y is after the origin; NaN where nobody knows."""
        found = self.line.y[self.origin : self.end]
        return np.where(np.arange(self.origin, self.end) < self.until, found, np.nan) if self.until else found

    def __len__(self) -> int:
        return self.length

    def __str__(self) -> str:
        return f"{self.line.id} {self.start} {self.origin} {self.end} {self.until} {self.line.digest}"
