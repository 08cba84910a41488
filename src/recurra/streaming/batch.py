"""Many live sequences, stepped together."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import overload

import torch
from torch import Tensor

from recurra.errors import InputError
from recurra.nn.checks import check_sizes
from recurra.sequences import State
from recurra.streaming.rows import Rows, Source


class StreamBatch:
    """Up to ``capacity`` streams of one network, which come and go at any step, and step together.

    source: as for ``Stream``, and what is said there holds here. A stream's numbers never depend on the others: where
    it is compiled, they are bit for bit those of a ``Stream`` of its own.

    >>> from recurra.cells.gru import gru
    >>> from recurra.nn import Recurrent
    >>> streams = StreamBatch(Recurrent(gru, input_size=3, hidden_size=5), capacity=100)
    >>> a, b = streams.join(), streams.join()
    >>> y = streams.feed([a, b], torch.randn(2, 3))
    >>> streams.feed({b: torch.randn(3)})[b].shape
    torch.Size([5])
    >>> saved = streams.state(a)
    >>> streams.leave(a)
    >>> again = streams.join(saved)
    >>> len(streams)
    2
    """

    def __init__(self, source: Source, capacity: int):
        check_sizes(capacity=capacity)
        self._rows, self.capacity = Rows(source, capacity), capacity
        self._slots: dict[int, int] = {}
        self._free = list(range(capacity - 1, -1, -1))
        self._keys = count()

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._slots)

    @property
    def keys(self) -> tuple[int, ...]:
        """Of the streams there are, the one that joined first in front."""
        return tuple(self._slots)

    def join(self, state: State | None = None) -> int:
        """A new stream; returns its key, which no other stream of this batch gets.

        state: where it goes on, one row; None: at its beginning. Raises InputError where there is no place left,
        ShapeError or UnknownNameError for a state that is not this network's.
        """
        if not self._free:
            raise InputError(f"join: all {self.capacity} places are taken; let a stream leave, or make a larger batch")
        slot = self._free[-1]
        if state is None:
            self._rows.reset(slot)
        else:
            self._rows.set_state(slot, state)
        self._free.pop()
        key = next(self._keys)
        self._slots[key] = slot
        return key

    def leave(self, key: int) -> None:
        """Ends a stream."""
        self._free.append(self.slot(key))
        del self._slots[key]

    def reset(self, key: int) -> None:
        """A stream to its beginning: zeros, or the network's learned initial state."""
        self._rows.reset(self.slot(key))

    def state(self, key: int) -> State:
        """A copy of a stream's state, of one row; ``join`` takes it, of this batch or of another."""
        return self._rows.state(self.slot(key))

    @overload
    def feed(self, keys: Sequence[int], x: Tensor) -> Tensor: ...

    @overload
    def feed(self, keys: Mapping[int, Tensor | int]) -> dict[int, Tensor]: ...

    def feed(
        self, keys: Sequence[int] | Mapping[int, Tensor | int], x: Tensor | None = None
    ) -> Tensor | dict[int, Tensor]:
        """The next step of some streams, as one batch; the others keep their state.

        keys, x: B different streams and their inputs, [B, I] (token ids [B] int64 for a language model), which give
        [B, output_size]. Or one mapping from keys to inputs [I] (ids), which gives the outputs by key. Raises
        ShapeError or InputError, and then no stream has changed.
        """
        if isinstance(keys, Mapping):
            steps = [torch.as_tensor(step) for step in keys.values()]
            if x is not None or any(s.shape != steps[0].shape or s.dtype != steps[0].dtype for s in steps):
                raise InputError("feed: expected keys and a tensor x, or one mapping to inputs of one shape and dtype")
            return dict(zip(keys, self._feed(list(keys), torch.stack(steps)), strict=True)) if steps else {}
        if x is None:
            raise InputError("x: expected the inputs of these streams, got None")
        return self._feed(keys, x)

    def _feed(self, keys: Sequence[int], x: Tensor) -> Tensor:
        slots = [*map(self.slot, keys)]
        if len(set(slots)) < len(slots):
            raise InputError("keys: expected each stream once")
        return self._rows.step(self._rows.inputs(x, (len(keys),)), slots, 1)

    def slot(self, key: int) -> int:
        """The place of a stream among ``capacity``, for what is kept beside its state."""
        if key not in self._slots:
            raise InputError(f"key {key!r}: no such stream; it has left, or never joined")
        return self._slots[key]
