"""What a classifier says of live sequences, at every step."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from recurra.errors import InputError
from recurra.model import Model
from recurra.nn.checks import check_sizes
from recurra.nn.pooling import Pooling
from recurra.sequences import Ragged, State
from recurra.sequences.walk import walk
from recurra.streaming.places import Kept, Places
from recurra.streaming.rows import Rows


class Decisions:
    """A trained model over one live sequence: at each step, what it says of all that it has read.

    model: a run's, whose trunk reads forwards only and whose head makes one vector of a sequence (``category``,
    ``number``). After each step it says what ``predict`` would say of the steps so far. window: for sequences without
    an end; each answer then rests on the last ``window / 2`` to ``window`` steps (fewer at the beginning). 0: on all.
    Raises InputError for other models, and for a window that is negative or of no two halves (with ``trunk.stack``, of
    that many steps each).

    >>> import recurra                                                          # doctest: +SKIP
    >>> live = recurra.load("runs/gesture").stream()                            # doctest: +SKIP
    >>> [said["label"] for said in live.feed([[0.1, 0.9], [0.2, 0.8]])]         # doctest: +SKIP
    ['rest', 'wave']
    """

    def __init__(self, model: Model, window: int = 0):
        self._streams = DecisionStreams(model, 1, window)
        self._key = self._streams.join()

    def feed(self, steps: Any) -> list[dict[str, Any]]:
        """The next steps of the sequence, in any form that ``predict`` takes a whole one in (a series: [T, I] numbers).

        Returns what the model says after each of them, T predictions. Raises InputError for steps that do not fit.
        """
        return self._streams.feed([self._key], [steps])[0]

    @property
    def state(self) -> State:
        """A copy of all that it rests on, of one row; it may be set, here or in another process (``to_bytes``)."""
        return self._streams.state(self._key)

    @state.setter
    def state(self, state: State) -> None:
        self._streams.restore(self._key, state)

    def reset(self) -> None:
        """To the beginning: the next step is the first of another sequence."""
        self._streams.reset(self._key)


class DecisionStreams(Places):
    """Up to ``capacity`` live sequences of one model, stepped together; what each gives does not depend on the others.

    model, window: as for ``Decisions``. Outputs agree with those of a ``Decisions`` of its own to rounding.

    >>> import recurra                                                          # doctest: +SKIP
    >>> live = recurra.load("runs/gesture").streams(capacity=100)               # doctest: +SKIP
    >>> anna, ben = live.join(), live.join()                                    # doctest: +SKIP
    >>> live.feed([anna, ben], [[[0.1, 0.9]], [[0.2, 0.8]]])[1][-1]["label"]    # doctest: +SKIP
    'wave'
    """

    def __init__(self, model: Model, capacity: int, window: int = 0):
        check_sizes(capacity=capacity)
        stack = model.config.trunk.stack
        if window < 0 or window % (2 * stack):
            raise InputError(f"window: expected a multiple of {2 * stack} steps, or 0 for none, got {window}")
        if model.head.pool is None or model.head.pool.how == "middle":
            got = "one that pools the middle" if model.head.pool else model.config.output
            raise InputError(f"source: expected a head that pools the steps so far (category, number), got {got}")
        if model.modality.mirrored(model.modality.encode_all([])) is not None:
            raise InputError("source: expected a model that reads one strand, got one that reads both, from both ends")
        self._model, self._half = model, window // 2
        self._readings = [_Reading(model, capacity) for _ in range(2 if window else 1)]
        with torch.inference_mode(False), torch.no_grad():  # what is made here outlives the modes it may be made in
            like = self._readings[0].net.weight
            self._step = np.zeros((capacity, 1), np.int64)
            # The steps that are read as one.
            self._frame = like.new_zeros(capacity, stack, self._readings[0].net.input_size // stack)
            states: dict[str, Tensor] = {"step": torch.from_numpy(self._step), "frame": self._frame}
            first = {name: value[0].clone() for name, value in states.items()}
            for i, reading in enumerate(self._readings):
                states |= {f"{i}.{name}": value for name, value in reading.kept.states.items()}
                first |= {f"{i}.{name}": value for name, value in reading.kept.first.items()}
        super().__init__(Kept(states, first), capacity)

    def feed(self, keys: Sequence[int], rows: Sequence[Any]) -> list[list[dict[str, Any]]]:
        """The next steps of some streams: of each in any form that ``predict`` takes a whole row in, as many as it has.

        Returns what the model says after each of them, a list for each stream. Raises InputError for steps that do not
        fit, or a stream that is not there, and then no stream has changed.
        """
        slots, model = np.array(self._rows_of(keys), np.int64), self._model
        if len(rows) != len(slots):
            raise InputError(f"rows: expected the steps of {len(slots)} streams, got {len(rows)}")
        with model.evaluating():
            encoded = model.modality.encode_all(rows).to(model.device)
            values = encoded.values
            if values.is_floating_point():
                values = values.to(next(model.parameters()).dtype)
            x, offsets = model.encoder(values), encoded.offsets.cpu().numpy()
            pooled = x.new_zeros(len(x), model.trunk.output_size)
            for which, places in walk(offsets):
                at = _index(places)
                pooled[at] = self._read(slots[which], x[at])
            if not len(pooled):
                return [[] for _ in rows]
            each = Ragged(pooled, torch.arange(len(pooled) + 1, device=pooled.device))
            said: list[dict[str, Any]] = model.head.decode(each, pooled)
        return [said[begin:end] for begin, end in pairwise(offsets.tolist())]

    def _read(self, slots: NDArray[np.int64], x: Tensor) -> Tensor:
        """One step of each, [B, I]. Returns the vectors, [B, F], of the readings that began first."""
        at, step, stack = _index(slots), self._step[slots, 0], self._frame.shape[1]
        self._step[slots, 0] = step + 1
        # Two readings begin anew in turns, half a window apart, and the one that began first is heard.
        turn = step // self._half % 2 if self._half else np.zeros_like(step)
        for i in (step % self._half == 0).nonzero()[0] if self._half else ():
            self._readings[turn[i]].kept.reset(int(slots[i]))
        place = step % stack
        if stack > 1:
            # Steps that are read as one: until all of them are there, the last stands for those to come.
            later = torch.from_numpy(np.arange(stack) >= place[:, None]).to(x.device)
            frame = torch.where(later[:, :, None], x[:, None], self._frame[at])
            self._frame[at] = frame
            x = frame.flatten(1)
        heard = [reading.feed(x, slots, at, place == stack - 1) for reading in self._readings]
        if len(heard) == 1:
            return heard[0]
        return torch.where(torch.from_numpy(turn == 0).to(x.device)[:, None], heard[1], heard[0])


class _Reading:
    """Streams through the trunk, and what is pooled of them."""

    def __init__(self, model: Model, capacity: int):
        self.net = Rows(model.trunk, capacity)
        self.pool: Pooling = model.head.pool
        with torch.inference_mode(False), torch.no_grad():
            own = self.pool.beginning(self.net.weight.new_zeros(capacity, model.trunk.output_size))
            self.carried = tuple(value.clone() for value in own)
            pooled = {f"pool.{i}": value for i, value in enumerate(self.carried)}
            first = {name: value[0].clone() for name, value in pooled.items()}
        states = {f"net.{name}": value for name, value in self.net.states.items()}
        self.kept = Kept(states | pooled, {f"net.{name}": x for name, x in self.net.first.items()} | first)

    def feed(self, x: Tensor, slots: NDArray[np.int64], at: Tensor | slice, keep: NDArray[np.bool_]) -> Tensor:
        """x: [B, I], of the rows ``slots``, which ``at`` are too. keep: [B], whether it is there for good."""
        for_now = None if keep.all() else torch.from_numpy(~keep).to(x.device)[:, None]
        before = {} if for_now is None else {name: value[at].clone() for name, value in self.net.states.items()}
        y = self.net.step(self.net.inputs(x, (len(slots),)), slots.tolist(), 1)
        old = tuple(value[at] for value in self.carried)
        vector, carried = self.pool.step(y, old)
        for own, one, other in zip(self.carried, old, carried, strict=True):
            own[at] = other if for_now is None else torch.where(for_now, one, other)
        for name, value in before.items():
            assert for_now is not None
            self.net.states[name][at] = torch.where(for_now, value, self.net.states[name][at])
        return vector


def _index(rows: NDArray[np.int64]) -> Tensor | slice:
    """What chooses these rows of a tensor; of one row, which is what most streams are, the quickest."""
    return slice(int(rows[0]), int(rows[0]) + 1) if len(rows) == 1 else torch.from_numpy(rows)
