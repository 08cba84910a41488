"""How good forecasts are, beside those that need no model."""

from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from torch import Tensor

from recurra.heads._forecast_errors import ForecastErrors
from recurra.heads._futures import Future
from recurra.heads._naive import NAIVES, seasonal_naive
from recurra.heads.base import Meter
from recurra.modalities.panel import Panel
from recurra.sequences import Ragged
from recurra.timeline import Numbers, Window

if TYPE_CHECKING:
    import pandas as pd

# Shares of true values that intervals are to hold, and that are measured.
INTERVALS = (80, 90)
PLACES = (0.1, 0.4, 0.7, 0.95)  # of the windows in the report, by their errors
HISTORY = 3  # horizons of history with each
BINS = 41
MANY = 100  # windows of one series whose intervals are shown one after the other


class Speaker(Protocol):
    """What a meter needs of the head."""

    modality: Panel
    levels: Numbers

    @property
    def sure(self) -> bool: ...

    def given(self, features: Ragged) -> Tensor: ...

    def said_of(self, windows: Sequence[Window], given: Tensor) -> Numbers: ...


class ForecastMeter(Meter):
    """quick: without what needs forecasts of others."""

    def __init__(self, head: Speaker, *, quick: bool):
        self.head, self.quick = head, quick
        self.season = max(1, head.modality.settings.season)
        self.parts: list[Tensor] = []
        self.rows: list[Tensor] = []
        self.seen: list[Window] = []

    def update(self, features: Ragged, last: Tensor, targets: Future, rows: Tensor | None) -> None:
        with torch.no_grad():
            self.parts.append(self.head.given(features).cpu())
        self.rows.append(torch.arange(len(targets.windows)) if rows is None else rows)
        self.seen += targets.windows

    @cached_property
    def order(self) -> list[int]:
        """Into the data's order."""
        return torch.cat(self.rows).argsort().tolist()

    @property
    def windows(self) -> list[Window]:
        return [self.seen[i] for i in self.order]

    def given(self) -> Tensor:
        """What the network said, [B, h, size], in the data's order."""
        return torch.cat(self.parts)[self.order]

    @cached_property
    def values(self) -> Numbers:
        """[B, h, L]."""
        return self.head.said_of(self.windows, self.given())

    @cached_property
    def errors(self) -> ForecastErrors:
        return ForecastErrors(self.windows, self.season)

    @property
    def wanted(self) -> Numbers:
        """[B, h], NaN where nobody knows."""
        return self.errors.wanted

    @property
    def middle(self) -> Numbers:
        return np.asarray(self.values[..., len(self.head.levels) // 2])

    def metrics(self) -> dict[str, float]:
        found = self.errors.of(self.middle) if self.quick else self.errors.with_owa(self.middle)
        if not self.head.sure:
            return found
        levels = self.head.levels
        error = self.wanted[..., None] - self.values
        pinball = np.nanmean(np.maximum(levels * error, (levels - 1) * error), axis=(0, 1))
        edges = np.concatenate([[0], (levels[1:] + levels[:-1]) / 2, [1]])
        found["crps"] = float(2 * (pinball * np.diff(edges)).sum())
        for share in INTERVALS:
            low, high = (int(np.abs(levels - side).argmin()) for side in (0.5 - share / 200, 0.5 + share / 200))
            if abs(levels[high] - levels[low] - share / 100) < 1e-9:
                inside = (self.wanted >= self.values[..., low]) & (self.wanted <= self.values[..., high])
                found[f"coverage_{share}"] = float(inside[~np.isnan(self.wanted)].mean())
        return found

    @cached_property
    def naives(self) -> dict[str, Numbers]:
        """[B, h] each; without a season the seasonal one would be the naive one."""
        kinds = {name: kind for name, kind in NAIVES.items() if self.season > 1 or kind is not seasonal_naive}
        return {name: np.stack([kind(w, self.season) for w in self.windows]) for name, kind in kinds.items()}

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """Naive, seasonal naive and drift on the same windows."""
        return {name: self.errors.with_owa(forecast) for name, forecast in self.naives.items()}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """Whether a model was needed at all, forecasts over their history, and errors by step."""
        own, others = self._absolute(self.middle), {n: self._absolute(f) for n, f in self.naives.items()}
        best = min(others, key=lambda name: float(np.nanmean(others[name])))
        found, least = float(np.nanmean(own)), float(np.nanmean(others[best]))
        if found < least:
            share = 100 * (1 - found / least)
            verdict = (
                f"Its mean absolute error is {share:.1f} % below that of the best forecast without a model, {best}."
            )
        else:
            verdict = (
                f"It does not beat the best forecast without a model: the mean absolute error of {best} is {least:.4g}"
                f", its own {found:.4g}."
            )
        return {
            "verdict": verdict,
            "forecasts": [self._shown(row) for row in self._chosen()],
            "errors_by_step": {"model": _means(own), **{name: _means(error) for name, error in others.items()}},
            "residuals": self._residuals(),
            "widths": self._widths(),
        }

    def _absolute(self, forecast: Numbers) -> Numbers:
        return np.asarray(np.abs(forecast - self.wanted))

    def _chosen(self) -> list[int]:
        """A few windows from the one that was forecast best to the one that was worst, but for the very ends."""
        scale = self.errors.scale
        errors = np.nanmean(self._absolute(self.middle), axis=1) / np.where(np.isnan(scale), np.inf, scale)
        order = np.argsort(errors, kind="stable")
        return [int(order[int(len(order) * place)]) for place in dict.fromkeys(PLACES if len(order) > 3 else (0.5,))]

    def _shown(self, row: int) -> dict[str, Any]:
        """A window as a fan chart needs it; None where there is no number."""
        window, levels = self.windows[row], self.head.levels
        history = window.line.y[max(0, window.origin - HISTORY * window.horizon) : window.origin]
        times = window.line.times[[window.origin - len(history), window.origin, window.end - 1]]
        return {
            "id": window.line.id,
            "times": [str(time) for time in times],
            "history": _plain(history),
            "wanted": _plain(window.wanted),
            "levels": levels.tolist(),
            "quantiles": [_plain(self.values[row, :, i]) for i in range(len(levels))],
        }

    def _widths(self) -> dict[str, Any]:
        """How wide the 80 % interval of the first step is from window to window, of a series with many; or nothing."""
        lines = [window.line.id for window in self.windows]
        id = Counter(lines).most_common(1)[0][0]
        rows = [row for row, line in enumerate(lines) if line == id]
        low, high = (int(np.abs(self.head.levels - side).argmin()) for side in (0.1, 0.9))
        if not self.head.sure or len(rows) < MANY or abs(self.head.levels[high] - self.head.levels[low] - 0.8) > 1e-9:
            return {}
        rows.sort(key=lambda row: self.windows[row].origin)
        width = self.values[rows, 0, high] - self.values[rows, 0, low]
        times = [str(self.windows[row].line.times[self.windows[row].origin]) for row in (rows[0], rows[-1])]
        return {"id": id, "times": times, "widths": _plain(width)}

    def _residuals(self) -> dict[str, list[float]]:
        """How often errors of each size were made, in units of the series' own seasonal difference (as in MASE)."""
        errors = ((self.wanted - self.middle) / self.errors.scale[:, None]).ravel()
        errors = errors[~np.isnan(errors)]
        if not len(errors):
            return {"edges": [], "shares": []}
        widest = float(np.quantile(np.abs(errors), 0.99)) or 1.0
        counts, edges = np.histogram(np.clip(errors, -widest, widest), BINS, (-widest, widest))
        return {"edges": _plain(edges), "shares": _plain(counts / len(errors))}


def _means(errors: Numbers) -> list[float]:
    """[h]; a step that nobody knows has 0."""
    there = ~np.isnan(errors)
    return _plain(np.where(there, errors, 0).sum(0) / np.maximum(there.sum(0), 1))


def _plain(values: Numbers) -> list[Any]:
    return [None if np.isnan(value) else float(f"{value:.5g}") for value in values]
