"""Many live sequences, stepped together."""

from collections.abc import Mapping, Sequence
from typing import overload

import torch
from torch import Tensor

from recurra.errors import InputError
from recurra.nn.checks import check_sizes
from recurra.streaming.places import Kept, Places
from recurra.streaming.rows import Rows, Source


class StreamBatch(Places):
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
        self._rows = Rows(source, capacity)
        super().__init__(Kept(self._rows.states, self._rows.first), capacity)

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
        return self._rows.step(self._rows.inputs(x, (len(keys),)), self._rows_of(keys), 1)
