"""Series as they come: each number on the scale of those before it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recurra.arrays import joined_series, written
from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._season import Season
from recurra.modalities.base import Modality
from recurra.sequences import Ragged
from recurra.sequences.walk import walk

Array = NDArray[np.float64]

# A step farther from the mean than so many deviations counts as one that far when the deviation is learnt.
REACH = 6.0
# The encoded value of whatever is larger still: asinh of some thousand deviations.
LARGEST = 10.0
# Larger numbers count as this one: their squares must be numbers too.
HUGE = 1e150
# A deviation below this share of the level is the rounding of a constant: a running mean of float64 stops so near to
# its level that a ``memory``-th of what is left is lost in adding it.
ROUNDING = 1e-13


@dataclass(frozen=True)
class SignalConfig:
    """Settings of the modality ``signal``."""

    memory: int = setting(500, "about how many steps the running mean and deviation go back")
    season: bool = setting(True, "beside each step, what the next one was a day or a week before, where that tells")

    def __post_init__(self) -> None:
        if self.memory < 2:
            raise InputError(f"modality.memory: expected at least 2 steps, got {self.memory}")


class RunningScale:
    """Mean and deviation of live series, with forgetting. states: [capacity, ...] each, changed in place.

    A step is encoded as asinh((x - mean) / deviation), with the mean and the deviation up to and with itself: nothing
    depends on what comes later. One far step moves them little (``REACH``); a level that stays becomes the new one. A
    missing step (NaN) is read as the mean, and nothing is learnt from it; equal steps at the beginning, which say
    nothing of the deviation, count as one. With ``season`` what the next step is about,
    by the one a season before it, stands behind each (``Season``).
    """

    def __init__(self, capacity: int, channels: int, settings: SignalConfig):
        self.memory = settings.memory
        self.states: dict[str, NDArray[Any]] = {
            name: np.zeros((capacity, channels)) for name in ("count", "mean", "variance")
        }
        self._season = Season(capacity, channels, settings.memory) if settings.season else None
        if self._season is not None:
            self.states |= {f"season.{name}": value for name, value in self._season.states.items()}

    def step(self, rows: Any, x: Array) -> Array:
        """The next step of some rows. x: [B, C]. Returns it encoded, [B, C], with seasons [B, 2C]."""
        x = np.clip(x, -HUGE, HUGE)
        count, mean, variance = (self.states[name][rows] for name in ("count", "mean", "variance"))
        there = ~np.isnan(x)
        known = there & ~((count > 0) & (variance == 0) & (x == mean))
        count = count + known
        rate = np.where(known, 1 / np.clip(count, 1, self.memory), 0.0)
        far = np.where(known, x - mean, 0.0)
        near = np.where((variance > 0) & (count > 2), np.clip(far * far, 0, REACH * REACH * variance), far * far)
        mean = mean + rate * far
        variance = (1 - rate) * (variance + rate * near)
        for name, value in (("count", count), ("mean", mean), ("variance", variance)):
            self.states[name][rows] = value
        deviation = np.sqrt(variance)
        steady = deviation <= ROUNDING * np.abs(mean)
        left = np.where(steady, 0.0, (1 - rate) * far) / np.where(steady, 1.0, deviation)
        encoded = np.clip(np.arcsinh(left), -LARGEST, LARGEST)
        if self._season is None:
            return encoded
        return np.concatenate([encoded, self._season.step(rows, encoded, np.asarray(there.all(axis=1)))], axis=1)


class Signal(Modality):
    """Series of one channel or several, each scaled as it runs: one network for series of any level and unit.

    A row is an array [T, C], or whatever else ``recurra.arrays.series`` reads.

    >>> modality = Signal.fit(SignalConfig(), [[1.0, 3.0]])
    >>> modality.encode([100.0, 300.0, 200.0])[:, 0]
    tensor([0.0000, 0.8814, 0.0000])
    """

    config = SignalConfig
    role = "series"

    def __init__(self, settings: SignalConfig, channels: int):
        self.settings, self.channels = settings, channels

    @classmethod
    def fit(cls, config: SignalConfig, rows: Iterable[Any], running: bool = False) -> Self:
        """Raises InputError where the rows hold no step, or not all the same channels."""
        values, _ = joined_series(rows)
        if not len(values):
            raise InputError("column series: nothing but empty series in the training rows")
        return cls(config, values.shape[1])

    def scale(self, capacity: int) -> RunningScale:
        """A new one for so many live series."""
        return RunningScale(capacity, self.channels, self.settings)

    @property
    def inputs(self) -> int:
        """I, the numbers of an encoded step: its C channels, and with seasons what each is about to be."""
        return self.channels * (1 + self.settings.season)

    def encode(self, row: Any) -> Tensor:
        """One row's steps, [T, I] float32: the channels scaled, and behind them their seasons."""
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Any]) -> Ragged:
        """All rows' steps as ``encode`` has them: [N, I]. Raises InputError for a row of other channels."""
        values, offsets = joined_series(rows, self.channels)
        scale, encoded = self.scale(len(offsets) - 1), np.zeros((len(values), self.inputs), np.float32)
        for which, places in walk(offsets):
            encoded[places] = scale.step(which, values[places])
        return Ragged(torch.from_numpy(encoded), torch.from_numpy(offsets))

    def decode(self, steps: Tensor) -> str:
        """Encoded steps as deviations from the running mean: steps between spaces, channels between commas."""
        return written(steps[:, : self.channels].double().sinh().numpy())

    def natural_width(self, hidden: int) -> int:
        return self.inputs

    def encoder(self, width: int) -> nn.Module:
        """The numbers as they are where there are ``width`` of them, and else a linear map to so many."""
        return nn.Identity() if width == self.inputs else nn.Linear(self.inputs, width)

    def to_json(self) -> dict[str, Any]:
        return {"settings": to_dict(self.settings), "channels": self.channels}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        try:
            return cls(from_dict(SignalConfig, values["settings"]), int(values["channels"]))
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"signal: not what was saved by modality signal ({error})") from error
