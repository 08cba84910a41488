"""One live sequence, fed step by step."""

import torch
from torch import Tensor

from recurra.errors import InputError, ShapeError
from recurra.sequences import State
from recurra.streaming.places import Kept
from recurra.streaming.rows import Rows, Source


class Stream:
    """A trained network over one live sequence: each step is fed as it comes, and the state stays inside.

    source: a ``Recurrent``, a ``Stack`` of them, an ``RNN``, ``LSTM`` or ``GRU`` of ``recurra.nn``, all reading
    forwards only, or a language model (a run's ``model``). Raises InputError for anything else.

    The weights are copied, and packed, once: a stream does not see what becomes of them later. After further training
    make a new Stream, and give it the state of the old one. Nothing is dropped out, no gradient is kept, and autocast
    does not act. Compiled for float32 and float64 on the CPU, where how the steps are cut into chunks changes no bit of
    the result; elsewhere it runs what the layers run. A stream is for one thread of Python at a time.

    >>> from recurra.cells.lstm import lstm
    >>> from recurra.nn import Recurrent
    >>> layer = Recurrent(lstm, input_size=3, hidden_size=5)
    >>> stream, x = Stream(layer), torch.randn(7, 3)
    >>> y = torch.stack([stream.feed(step) for step in x])
    >>> saved = stream.state.to_bytes()
    >>> stream.reset()
    >>> torch.equal(stream.feed(x), y)
    True
    >>> stream.state = State.from_bytes(saved)
    """

    def __init__(self, source: Source):
        self._rows = Rows(source, 1)
        step, rows = self._rows.step, self._rows
        self._kept = Kept(rows.states, rows.first)
        self._one = step.one
        # What may go to ``one`` as it is; None: nothing.
        self._step_shape = torch.Size([rows.input_size]) if step.one and rows.table is None else None
        self._dtype = rows.weight.dtype

    def feed(self, x: Tensor | int) -> Tensor:
        """The next step, or a chunk of steps.

        x: one step [I], which gives [output_size], or a chunk [T, I], which gives [T, output_size]; in the dtype and
        on the device of the weights. For a language model: a token's id, as an int or a scalar tensor, which gives the
        scores of each token as the next one (logits, [V]), or ids [T] int64, which give [T, V]; a text's ids are
        ``model.modality.encode(text)``. Raises ShapeError, or InputError for an id that is no token's.
        """
        if (
            type(x) is Tensor
            and x.dtype is self._dtype
            and x.shape == self._step_shape
            and x.is_cpu
            and x.is_contiguous()
        ):
            return self._one(x)  # type: ignore[misc]
        return self._feed(x)

    def _feed(self, x: Tensor | int) -> Tensor:
        rows, table = self._rows, self._rows.table
        if isinstance(x, Tensor) and x.ndim == (table is None) + 1:
            return rows.step(rows.inputs(x, ("T",)), (0,), len(x))
        if table is not None:
            token = self._token(x)
            step = table[token]
        elif isinstance(x, Tensor):
            step = rows.inputs(x, ())
        else:
            raise InputError(f"x: expected a tensor, got {type(x).__name__}")
        return self._one(step) if self._one else rows.step(step.unsqueeze(0), (0,), 1)[0]

    def _token(self, x: Tensor | int) -> int:
        """A token's id, checked."""
        if isinstance(x, Tensor) and (x.ndim > 0 or x.dtype != torch.int64):
            raise ShapeError("x", "a token's id or ids [T], torch.int64", f"{list(x.shape)} {x.dtype}")
        if not isinstance(x, int | Tensor):
            raise InputError(f"x: expected a token's id or ids [T], got {type(x).__name__}")
        token = int(x)
        self._rows.check_token(token)
        return token

    @property
    def state(self) -> State:
        """A copy of the state, of one row, named as the network's own State (``0.h`` for layer 0 of several).

        It may be set: to what it was before, or to one row of a State that the network returned.
        """
        return self._kept.state(0)

    @state.setter
    def state(self, state: State) -> None:
        self._kept.set_state(0, state)

    def reset(self) -> None:
        """To the beginning: zeros, or the network's learned initial state."""
        self._kept.reset(0)
