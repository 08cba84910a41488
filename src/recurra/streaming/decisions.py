"""What a classifier says of a live sequence, at every step."""

from typing import Any

import torch
from torch import Tensor

from recurra.errors import InputError
from recurra.model import Model
from recurra.nn.pooling import Carried, Pooling
from recurra.sequences import Ragged
from recurra.streaming.stream import Stream


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
        self._stack = model.config.trunk.stack
        if window < 0 or window % (2 * self._stack):
            raise InputError(f"window: expected a multiple of {2 * self._stack} steps, or 0 for none, got {window}")
        if model.head.pool is None or model.head.pool.how == "middle":
            got = "one that pools the middle" if model.head.pool else model.config.output
            raise InputError(f"source: expected a head that pools the steps so far (category, number), got {got}")
        if model.modality.mirrored(model.modality.encode_all([])) is not None:
            raise InputError("source: expected a model that reads one strand, got one that reads both, from both ends")
        self._model, self._window = model, window
        pool = model.head.pool
        self._readings = [_Reading(Stream(model.trunk), pool) for _ in range(2 if window else 1)]
        self.reset()

    def reset(self) -> None:
        """To the beginning: the next step is the first of another sequence."""
        self._step, self._frame = 0, list[Tensor]()
        for reading in self._readings:
            reading.reset()

    def feed(self, steps: Any) -> list[dict[str, Any]]:
        """The next steps of the sequence, in any form that ``predict`` takes a whole one in (a series: [T, I] numbers).

        Returns what the model says after each of them, T predictions. Raises InputError for steps that do not fit.
        """
        model = self._model
        with model.evaluating():
            encoded = model.modality.encode(steps).to(model.device)
            if encoded.is_floating_point():
                encoded = encoded.to(next(model.parameters()).dtype)
            pooled = [self._read(x) for x in model.encoder(encoded)]
            if not pooled:
                return []
            vectors = torch.stack(pooled)
            each = Ragged(vectors, torch.arange(len(vectors) + 1, device=vectors.device))
            said: list[dict[str, Any]] = model.head.decode(each, vectors)
            return said

    def _read(self, x: Tensor) -> Tensor:
        """One step, [I]. Returns the vector, [F], of the reading that began first."""
        half = self._window // 2
        # Two readings begin anew in turns, half a window apart, and the one that began first is heard.
        turn = self._step // half % 2 if half else 0
        if half and self._step % half == 0:
            self._readings[turn].reset()
        self._step += 1
        self._frame.append(x)
        missing = self._stack - len(self._frame)
        # Steps that are read as one: until all of them are there, the last stands for those to come.
        frame = torch.cat([*self._frame, *[x] * missing])
        if not missing:
            self._frame.clear()
        return [reading.feed(frame, keep=not missing) for reading in self._readings][-1 - turn]


class _Reading:
    """A stream through the trunk, and what is pooled of it."""

    def __init__(self, stream: Stream, pool: Pooling):
        self.stream, self.pool = stream, pool
        self.carried: Carried = ()

    def reset(self) -> None:
        self.stream.reset()
        self.carried = ()

    def feed(self, x: Tensor, keep: bool) -> Tensor:
        """The vector with this step; keep: whether it is there for good."""
        before = None if keep else self.stream.state
        vector, carried = self.pool.step(self.stream.feed(x), self.carried)
        if before is None:
            self.carried = carried
        else:
            self.stream.state = before
        return vector
