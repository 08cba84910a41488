"""Live series, each point scored as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from recurra.anomalies.unusual import Unusual
from recurra.errors import InputError, ShapeError
from recurra.heads.anomaly import Anomaly
from recurra.modalities.signal import Signal
from recurra.model import Model
from recurra.sequences import State
from recurra.streaming.batch import StreamBatch

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """score: [B] in [0, 1). alarm: [B], where a new event reaches the threshold."""

    score: Array
    alarm: NDArray[np.bool_]


class AnomalyStreams:
    """Up to ``capacity`` live series of one detector, stepped together; each is scored as if it were alone.

    model: of a run of the task ``anomaly``. What is usual is learnt for each series by itself, from its beginning on,
    and goes with it: scale, distribution of errors, the network's state. Nothing depends on points to come, and a whole
    series scored at once (``Model.predict``) has the same scores. Raises InputError for any other model.

    >>> import recurra
    >>> streams = AnomalyStreams(recurra.load("runs/anomaly").model, capacity=100)  # doctest: +SKIP
    >>> key = streams.join()                                                        # doctest: +SKIP
    >>> streams.feed([key], [[20.5]]).alarm                                         # doctest: +SKIP
    array([False])
    """

    def __init__(self, model: Model, capacity: int):
        if not isinstance(model.head, Anomaly) or not isinstance(model.modality, Signal):
            raise InputError(f"model: expected one with the head anomaly, got {model.config.output!r}")
        self._head, self._net = model.head, StreamBatch(model, capacity)
        self._scale, settings = model.modality.scale(capacity), model.head.settings
        self._unusual, self.threshold = Unusual(capacity, 2, model.head.channels, settings.habits), settings.threshold
        # What the next step is held against: the last outputs, or the window of steps that the next outputs rebuild.
        self._forecast, self._channels = settings.way == "forecast", model.head.channels
        width = self._channels * (2 if self._forecast else settings.window)
        self._held = np.full((capacity, width), np.nan)
        parts = (("scale", self._scale.states), ("unusual", self._unusual.states), ("held", {"": self._held}))
        self._states = {f"{part}.{name}": value for part, states in parts for name, value in states.items()}
        self._first = {name: value[0].copy() for name, value in self._states.items()}

    def __len__(self) -> int:
        """How many streams there are."""
        return len(self._net)

    def join(self, state: State | None = None) -> int:
        """A new stream; returns its key. state: where another one was. Raises as ``StreamBatch.join`` does."""
        if state is None:
            key = self._net.join()
            values = self._first
        else:
            values = {name: state[name][0].numpy() for name in self._states}
            key = self._net.join(state.part("net"))
        for name, value in values.items():
            self._states[name][self._net.slot(key)] = value
        return key

    def leave(self, key: int) -> None:
        """Ends a stream."""
        self._net.leave(key)

    def state(self, key: int) -> State:
        """A copy of all that a stream is, of one row; ``join`` takes it, of this batch or of another."""
        slot = self._net.slot(key)
        own = {name: torch.from_numpy(value[slot : slot + 1].copy()) for name, value in self._states.items()}
        net = self._net.state(key)
        return State({**{f"net.{name}": net[name] for name in net}, **own})

    def feed(self, keys: Sequence[int], x: ArrayLike) -> Scored:
        """The next point of some streams. x: [B, C] in the series' own unit; NaN: missing, its score is 0.

        A missing point is read as the running mean, and what is usual does not change by it. Raises ShapeError, or
        InputError for an infinite number or a stream that is not there, and then no stream has changed.
        """
        x = np.asarray(x, np.float64)
        if x.shape != (len(keys), self._channels):
            raise ShapeError("x", [len(keys), self._channels], list(x.shape))
        if np.isinf(x).any():
            raise InputError(f"x: expected finite numbers, or NaN where one is missing, got {x[np.isinf(x)][0]}")
        rows = np.array([self._net.slot(key) for key in keys], dtype=np.int64)
        if len(set(keys)) < len(keys):
            raise InputError("keys: expected each stream once")
        missing = np.isnan(x).any(axis=1)
        steps = torch.from_numpy(self._scale.step(rows, x)).float()
        outputs, steps = self._net.feed(keys, steps), steps[:, : self._channels]
        with torch.no_grad():
            error = self._error(rows, outputs, steps)
        errors = self._head.errors(error.masked_fill(torch.from_numpy(missing), torch.nan), steps)
        score, fresh = self._unusual.step(rows, errors, steps.double().numpy()).T
        return Scored(score, fresh >= self.threshold)

    def _error(self, rows: NDArray[np.int64], outputs: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
        """[B], NaN at a stream's first step where it was to be forecast."""
        if self._forecast:
            said = torch.from_numpy(self._held[rows]).to(outputs.dtype)
            self._held[rows] = outputs.numpy()
            return self._head.against(said, steps)[1]
        window = np.concatenate([steps.numpy(), self._held[rows][:, : -self._channels]], axis=1)
        self._held[rows] = window
        shape = (len(rows), -1, self._channels)
        return self._head.against(outputs, torch.from_numpy(window).to(outputs.dtype).view(shape))[1]
