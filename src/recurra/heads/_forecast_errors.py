"""How far forecasts are from what came, whoever made them."""

from collections.abc import Sequence
from functools import cached_property

import numpy as np

from recurra.heads._naive import naive2, scaled_errors
from recurra.timeline import Numbers, Window


class ForecastErrors:
    """Of forecasts of the same windows. season: of MASE and Naive2.

    wanted: [B, h], what came; NaN where nobody knows. scale: [B], what MASE divides by.
    """

    def __init__(self, windows: Sequence[Window], season: int):
        self.windows, self.season = windows, season
        self.wanted = np.stack([window.wanted for window in windows])
        self.scale = scaled_errors(windows, season)

    def of(self, forecast: Numbers) -> dict[str, float]:
        """forecast: [B, h]."""
        error = np.abs(forecast - self.wanted)
        size = np.abs(forecast) + np.abs(self.wanted)
        share = 200 * np.divide(error, size, out=np.where(np.isnan(error), np.nan, 0.0), where=size > 0)
        scaled = (error / self.scale[:, None])[~np.isnan(self.scale)]
        return {
            "mae": float(np.nanmean(error)),
            "rmse": float(np.sqrt(np.nanmean(error**2))),
            "mse": float(np.nanmean(error**2)),
            "smape": float(np.nanmean(share)),
            "mase": float(np.nanmean(scaled)) if len(scaled) else float(np.nanmean(error)),
        }

    def with_owa(self, forecast: Numbers) -> dict[str, float]:
        """``of``, and OWA: the mean of sMAPE and MASE, each divided by that of Naive2."""
        found = self.of(forecast)
        parts = [found[name] / self._reference[name] for name in ("smape", "mase") if self._reference[name] > 0]
        return found | ({"owa": sum(parts) / len(parts)} if parts else {})

    @cached_property
    def _reference(self) -> dict[str, float]:
        return self.of(np.stack([naive2(window, self.season) for window in self.windows]))
