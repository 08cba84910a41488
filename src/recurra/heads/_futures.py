"""What a forecast learns from: what came after each window, standardised as its own scale says."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from recurra.modalities._scales import Steps, WindowScales
from recurra.modalities.panel import Panel
from recurra.timeline import Window


@dataclass(frozen=True)
class Future:
    """Of a batch of B windows. wanted: [B, h], what the network is to say. there: [B, h], where that is known.
    past: [N], the same for each step of the windows, those that are read included; NaN where it is not known; empty
    where nobody asks for it. unit: [B, 1], how large y is on the whole. windows: themselves.
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
    """What came after each of many windows, made when a batch asks for it.

    counts: y itself, not standardised. past: whether the steps that are read are asked for too.
    """

    def __init__(self, modality: Panel, windows: Sequence[Window], counts: bool, past: bool):
        self.counts, self.past, self.scales = counts, past, modality.scales.of(windows)
        self.units = torch.from_numpy(units(windows).astype(np.float32))

    def __getitem__(self, rows: Tensor) -> Future:
        scales = self.scales[rows.numpy()]
        ahead = self._wanted(scales, scales.to_come).view(len(rows), -1)
        past = self._wanted(scales, scales.steps) if self.past else ahead[:0].flatten()
        return Future(ahead.nan_to_num(), ~ahead.isnan(), past, self.units[rows], scales.windows)

    def _wanted(self, scales: WindowScales, steps: Steps) -> Tensor:
        return torch.from_numpy(scales.wanted(steps, self.counts).astype(np.float32))

    def to(self, device: Any) -> Self:
        return self


def units(windows: Sequence[Window]) -> Any:
    """[B, 1], how large the numbers of each window are on the whole, at least 1."""
    means = [float(np.nan_to_num(np.nanmean(np.abs(window.history)))) for window in windows]
    return np.maximum(means, 1.0)[:, None]
