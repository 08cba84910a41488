"""What a forecast learns from: what came after each window, standardised as its own scale says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from recurra.modalities.panel import Panel
from recurra.timeline import Window


@dataclass(frozen=True)
class Future:
    """Of a batch of B windows. wanted: [B, h], what the network is to say. there: [B, h], where that is known.
    past: [N], the same for each step of the windows, those that are read included; NaN where it is not known.
    unit: [B, 1], how large y is on the whole. windows: themselves.
    """

    wanted: Tensor
    there: Tensor
    past: Tensor
    unit: Tensor
    windows: Sequence[Window]

    def to(self, device: Any) -> Self:
        tensors = {name: getattr(self, name).to(device) for name in ("wanted", "there", "past", "unit")}
        return replace(self, **tensors)


class Futures:
    """What came after each of many windows, made when a batch asks for it. counts: y itself, not standardised."""

    def __init__(self, modality: Panel, windows: Sequence[Window], counts: bool):
        self.modality, self.counts, self.scales = modality, counts, modality.scales.of(windows)
        self.units = torch.from_numpy(units(windows).astype(np.float32))

    def __getitem__(self, rows: Tensor) -> Future:
        scales = self.scales[rows.numpy()]
        windows, wanted = scales.windows, self.modality.wanted(scales, self.counts)
        tensor = torch.from_numpy(wanted.astype(np.float32))
        ends = np.cumsum([window.length for window in windows])
        places = torch.from_numpy(ends[:, None] + np.arange(-windows[0].horizon, 0))
        ahead = tensor[places]
        return Future(ahead.nan_to_num(), ~ahead.isnan(), tensor, self.units[rows], windows)

    def to(self, device: Any) -> Self:
        return self


def units(windows: Sequence[Window]) -> Any:
    """[B, 1], how large the numbers of each window are on the whole, at least 1."""
    means = [float(np.nan_to_num(np.nanmean(np.abs(window.history)))) for window in windows]
    return np.maximum(means, 1.0)[:, None]
