"""Series of numbers, of one channel or several."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from recurra.arrays import Series as Array
from recurra.arrays import series, written
from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._variation import jittered, rescaled, turned, warped
from recurra.modalities.base import Modality
from recurra.rivals import Warping
from recurra.sequences import Ragged


@dataclass(frozen=True)
class SeriesConfig:
    """Settings of the modality ``series``."""

    scale: Literal["standard", "none"] = setting(
        "standard", "standard: each channel by its mean and deviation over the training rows; none: as it is"
    )
    jitter: float = setting(0.0, "training: deviation of noise on every scaled number, drawn anew each time")
    scaling: float = setting(0.0, "training: deviation of a factor on each channel of a series, about 1")
    warp: float = setting(0.0, "training: how much faster and slower a series goes in places (deviation of the log)")
    rotation: float = setting(
        0.0,
        "training: degrees (deviation) by which a series' vectors turn, for channels in threes, x y z in one unit",
    )

    def __post_init__(self) -> None:
        for name in ("jitter", "scaling", "warp", "rotation"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InputError(f"modality.{name}: expected 0 or more, got {getattr(self, name)}")


class Series(Modality):
    """How many channels there are, and how each is scaled: what is learnt from the training rows and kept.

    A row is an array [T, I], or whatever else ``recurra.arrays.series`` reads: [T] for one channel, lists, text.

    >>> modality = Series.fit(SeriesConfig(), [[0.0, 2.0], [4.0]])
    >>> modality.encode([2.0, 2.0]).tolist()
    [[0.0], [0.0]]
    >>> modality.decode(modality.encode([1.0, 3.0]))
    '1 3'
    """

    config = SeriesConfig
    role = "series"
    rival = Warping()

    def __init__(self, settings: SeriesConfig, mean: list[float], deviation: list[float]):
        """mean, deviation: of each channel, [I]; what a number loses, and what it is then divided by."""
        self.settings, self.mean, self.deviation = settings, np.array(mean), np.array(deviation)
        self.moves = settings.warp > 0
        if settings.rotation and len(mean) % 3:
            raise InputError(f"modality.rotation: expected channels in threes (x, y, z), got {len(mean)}")

    @classmethod
    def fit(cls, config: SeriesConfig, rows: Iterable[Any], running: bool = False) -> Self:
        """Raises InputError where the rows hold no step, or not all the same channels."""
        read = [_read(row, i) for i, row in enumerate(rows, 1)]
        if not any(map(len, read)):
            raise InputError(f"column series: nothing but empty series in {len(read)} training rows")
        channels = next(row.shape[1] for row in read if len(row))
        values = _joined(read, channels)
        if config.scale == "none":
            return cls(config, [0.0] * channels, [1.0] * channels)
        # In float64 whatever the rows are in: sums over millions of steps.
        deviation = values.std(0, dtype=np.float64)
        return cls(config, values.mean(0, dtype=np.float64).tolist(), np.where(deviation > 0, deviation, 1.0).tolist())

    def encode(self, row: Any) -> Tensor:
        """One row's steps, [T, I] float32, scaled."""
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Any]) -> Ragged:
        """All rows' steps, scaled: values [N, I] float32. Raises InputError for a row of other channels."""
        read = [_read(row, i) for i, row in enumerate(rows, 1)]
        scaled = ((_joined(read, len(self.mean)) - self.mean) / self.deviation).astype(np.float32)
        offsets = torch.tensor([0, *map(len, read)]).cumsum(0)
        return Ragged(torch.from_numpy(scaled), offsets)

    def varied(self, inputs: Ragged) -> Ragged:
        """Another recording of the same, as far as the settings let it differ."""
        settings = self.settings
        if settings.rotation:
            mean, deviation = (inputs.values.new_tensor(of.tolist()) for of in (self.mean, self.deviation))
            raw = turned(inputs.with_values(inputs.values * deviation + mean), settings.rotation)
            inputs = raw.with_values((raw.values - mean) / deviation)
        for change, size in ((warped, settings.warp), (rescaled, settings.scaling), (jittered, settings.jitter)):
            inputs = change(inputs, size) if size else inputs
        return inputs

    def decode(self, steps: Tensor) -> str:
        """The numbers as they were before scaling: steps between spaces, channels between commas."""
        return written(steps.double().numpy() * self.deviation + self.mean)

    def natural_width(self, hidden: int) -> int:
        return len(self.mean)

    def encoder(self, width: int) -> nn.Module:
        """The channels as they are where there are ``width`` of them, and else a linear map to so many."""
        channels = len(self.mean)
        return nn.Identity() if width == channels else nn.Linear(channels, width)

    def to_json(self) -> dict[str, Any]:
        return {"settings": to_dict(self.settings), "mean": self.mean.tolist(), "deviation": self.deviation.tolist()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        try:
            return cls(from_dict(SeriesConfig, values["settings"]), values["mean"], values["deviation"])
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"series: not what was saved by modality series ({error})") from error


def _read(row: Any, number: int) -> Array:
    found = series(row, f"series {number}")
    if found is None:
        raise InputError(f"series {number}: expected T numbers or T rows of channels, got {row!r}")
    return found


def _joined(rows: list[Array], channels: int) -> Array:
    """All rows end to end, [N, I]. Raises InputError where one has other channels."""
    for i, row in enumerate(rows, 1):
        if len(row) and row.shape[1] != channels:
            raise InputError(f"series {i}: expected {channels} channels, as in training, got {row.shape[1]}")
    return np.concatenate([np.zeros((0, channels), np.float32), *(row for row in rows if len(row))])
