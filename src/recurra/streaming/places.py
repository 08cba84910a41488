"""Rows of states: one of them saved, restored, begun anew; and whose each row is, as streams come and go."""

from collections.abc import Iterable, Mapping
from itertools import count

from torch import Tensor

from recurra.errors import InputError
from recurra.nn.checks import check_like
from recurra.sequences import State


class Kept:
    """All that streams carry on. states: [capacity, ...] each, changed in place by who steps them. first: a row of
    each as it is at a beginning.
    """

    def __init__(self, states: Mapping[str, Tensor], first: Mapping[str, Tensor]):
        self.states, self.first = states, first

    def state(self, slot: int) -> State:
        """A copy of one row."""
        return State({name: value[slot : slot + 1].clone() for name, value in self.states.items()})

    def set_state(self, slot: int, state: State) -> None:
        """Raises ShapeError, UnknownNameError or InputError for a state that is none of these, and changes nothing."""
        for name, value in self.states.items():
            check_like(f"state {name}", state[name], (1, *value.shape[1:]), value)
        if strange := [name for name in state if name not in self.states]:
            raise InputError(f"state: expected {', '.join(self.states)}, got {strange[0]} too: it is another network's")
        for name, value in self.states.items():
            value[slot : slot + 1] = state[name].detach()

    def reset(self, slot: int) -> None:
        """One row to its beginning."""
        for name, value in self.states.items():
            value[slot] = self.first[name]


class Places:
    """Up to ``capacity`` streams, each with a row of states, which come and go at any step."""

    def __init__(self, kept: Kept, capacity: int):
        self.capacity, self._kept = capacity, kept
        self._slots: dict[int, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._numbers = count()

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._slots)

    @property
    def keys(self) -> tuple[int, ...]:
        """Of the streams there are, the one that joined first in front."""
        return tuple(self._slots)

    def join(self, state: State | None = None) -> int:
        """A new stream; returns its key, which no other stream of this batch gets.

        state: where it goes on, one row; None: at its beginning. Raises InputError where there is no place left, and
        ShapeError or UnknownNameError for a state that is not of this network; nothing has changed then.
        """
        if not self._free:
            raise InputError(f"join: all {self.capacity} places are taken; let a stream leave, or make a larger batch")
        slot = self._free[-1]
        if state is None:
            self._kept.reset(slot)
        else:
            self._kept.set_state(slot, state)
        self._free.pop()
        key = next(self._numbers)
        self._slots[key] = slot
        return key

    def leave(self, key: int) -> None:
        """Ends a stream."""
        self._free.append(self._slot(key))
        del self._slots[key]

    def reset(self, key: int) -> None:
        """A stream to its beginning."""
        self._kept.reset(self._slot(key))

    def state(self, key: int) -> State:
        """A copy of all that a stream is, of one row; ``join`` takes it, of this batch or of another."""
        return self._kept.state(self._slot(key))

    def restore(self, key: int, state: State) -> None:
        """A stream to where it, or another one, was. Raises as ``join`` does."""
        self._kept.set_state(self._slot(key), state)

    def _slot(self, key: int) -> int:
        if key not in self._slots:
            raise InputError(f"key {key!r}: no such stream; it has left, or never joined")
        return self._slots[key]

    def _rows_of(self, keys: Iterable[int]) -> list[int]:
        """The row of each of these streams. Raises InputError for one that is not there, or there twice."""
        slots = [*map(self._slot, keys)]
        if len(set(slots)) < len(slots):
            raise InputError("keys: expected each stream once")
        return slots
