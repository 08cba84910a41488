"""Live series, each point scored as it comes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from recurra.anomalies.unusual import Unusual
from recurra.errors import InputError, ShapeError
from recurra.heads.anomaly import Anomaly, farthest
from recurra.modalities.signal import Signal
from recurra.model import Model
from recurra.nn.checks import check_sizes
from recurra.streaming.places import Kept, Places
from recurra.streaming.rows import Rows

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Scored:
    """score: [B] in [0, 1). alarm: [B], where a new event reaches the threshold. channel: [B], from 0, the one that was
    farthest from what the network said.
    """

    score: Array
    alarm: NDArray[np.bool_]
    channel: NDArray[np.int64]


class AnomalyStreams(Places):
    """Up to ``capacity`` live series of one detector, stepped together; each is scored as if it were alone.

    model: of a run of the task ``anomaly``. What is usual is learnt for each series by itself, from its beginning on,
    and goes with it: scale, distribution of errors, the network's state. Nothing depends on points to come. Scores are
    bit for bit what they would be alone; those of a whole series scored at once (``Model.predict``) agree to rounding.
    Raises InputError for any other model.

    >>> import recurra
    >>> streams = AnomalyStreams(recurra.load("runs/anomaly").model, capacity=100)  # doctest: +SKIP
    >>> key = streams.join()                                                        # doctest: +SKIP
    >>> streams.feed([key], [[20.5]]).alarm                                         # doctest: +SKIP
    array([False])
    """

    def __init__(self, model: Model, capacity: int):
        if not isinstance(model.head, Anomaly) or not isinstance(model.modality, Signal):
            raise InputError(f"model: expected one with the head anomaly, got {model.config.output!r}")
        check_sizes(capacity=capacity)
        self._head, self._net, settings = model.head, Rows(model, capacity), model.head.settings
        self._scale = model.modality.scale(capacity)
        self._unusual, self.threshold = Unusual(capacity, 2, model.head.channels, settings.habits), settings.threshold
        # What the next step is held against: the last outputs, or the window of steps that the next outputs rebuild.
        self._forecast, self._channels = settings.way == "forecast", model.head.channels
        width = self._channels * (2 if self._forecast else settings.window)
        self._held = np.full((capacity, width), np.nan)
        parts = (("scale", self._scale.states), ("unusual", self._unusual.states), ("held", {"": self._held}))
        with torch.inference_mode(False):  # what is made here outlives the modes it may be made in
            # The same numbers, as tensors.
            own = {f"{part}.{name}": torch.from_numpy(value) for part, all in parts for name, value in all.items()}
            first = {name: value[0].clone() for name, value in own.items()}
        net, begin = ({f"net.{name}": x for name, x in of.items()} for of in (self._net.states, self._net.first))
        super().__init__(Kept(net | own, begin | first), capacity)

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
        slots = self._rows_of(keys)
        rows = np.array(slots, dtype=np.int64)
        missing = np.isnan(x).any(axis=1)
        steps = torch.from_numpy(self._scale.step(rows, x)).float()
        outputs = self._net.step(self._net.inputs(steps, (len(slots),)), slots, 1)
        steps = steps[:, : self._channels]
        with torch.no_grad():
            squares = self._squares(rows, outputs, steps)
        squares[missing] = np.nan
        watched = self._head.watched(squares, steps)
        score, fresh = self._unusual.step(rows, watched, steps.double().numpy()).T
        return Scored(score, fresh >= self.threshold, farthest(squares))

    def _squares(self, rows: NDArray[np.int64], outputs: torch.Tensor, steps: torch.Tensor) -> Array:
        """[B, C], NaN at a stream's first step where it was to be forecast."""
        if self._forecast:
            said = torch.from_numpy(self._held[rows]).to(outputs.dtype)
            self._held[rows] = outputs.numpy()
            return self._head.squares(said, steps)
        window = np.concatenate([steps.numpy(), self._held[rows][:, : -self._channels]], axis=1)
        self._held[rows] = window
        shape = (len(rows), -1, self._channels)
        return self._head.squares(outputs, torch.from_numpy(window).to(outputs.dtype).view(shape))
