"""Forecasts as columns: a row for each step of each series, with quantiles and the ends of intervals."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from recurra.errors import InputError
from recurra.runs.long_form import CUTOFF, Names
from recurra.timeline import Window

NAME = "Recurra"
Level = float | Sequence[float] | None


def columns_of(
    windows: Sequence[Window],
    results: Sequence[dict[str, Any]],
    sides: dict[str, float],
    steps: int,
    names: Names,
    *,
    checked: bool = False,
) -> dict[str, Any]:
    """The series' names, times and forecasts of the first steps, and a column for each of ``sides``.

    results: the model's predictions for the windows. sides: of each further column its level, as ``sides_of`` has them.
    checked: with the last time that was known, and y.
    """
    columns: dict[str, Any] = {
        names.id: [window.line.id for window in windows for _ in range(steps)],
        names.time: np.concatenate([window.line.times[window.origin : window.origin + steps] for window in windows]),
    }
    if checked:
        columns[CUTOFF] = np.repeat([window.line.times[window.origin - 1] for window in windows], steps)
        columns[names.target] = np.concatenate([window.wanted for window in windows])
    return columns | values_of(results, sides, steps)


def values_of(results: Sequence[dict[str, Any]], sides: dict[str, float], steps: int) -> dict[str, Any]:
    """The forecasts of the first steps, and a column for each of ``sides``; as ``columns_of``."""
    known = np.array([float(level) for level in results[0]["quantiles"]])
    values = np.array([list(result["quantiles"].values()) for result in results])[:, :, :steps]
    columns: dict[str, Any] = {NAME: np.concatenate([result["forecast"][:steps] for result in results])}
    for name, level in sides.items():
        at = float(np.interp(level, known, np.arange(len(known))))
        low, share = int(at), at - int(at)
        high = min(low + 1, len(known) - 1)
        columns[name] = ((1 - share) * values[:, low] + share * values[:, high]).ravel()
    return columns


def sides_of(head: Any, level: Level, quantiles: Sequence[float] = (), usual: Sequence[float] = ()) -> dict[str, float]:
    """Column to the level of its quantile, for both ends of each interval of ``level`` percent and each of quantiles.

    head: of a model that forecasts. level: None: those of ``usual`` that it has learnt. Raises InputError for what
    is no such number, and for more than was learnt.
    """
    least, most = (head.levels[0], head.levels[-1]) if head.sure else (0.5, 0.5)
    widest = 100 * (most - least)
    chosen = [share for share in usual if share <= widest + 1e-9] if level is None else numbers("level", level)
    wanted = numbers("quantiles", quantiles)
    if (chosen or wanted) and not head.sure:
        raise InputError(
            f"level, quantiles: with head.error={head.settings.error} a model that is not calibrated has no intervals; "
            "train with head.conformal=true, or with head.error=quantile"
        )
    beyond = f"; more needs head.quantiles beyond {least:g} and {most:g} in training"
    sides: dict[str, float] = {}
    for share in chosen:
        if not 0 <= share <= widest + 1e-9:
            raise InputError(f"level: expected percents from 0 to {widest:g}, got {share:g}{beyond * (share > 0)}")
        sides |= {f"{NAME}-lo-{share:g}": 0.5 - share / 200, f"{NAME}-hi-{share:g}": 0.5 + share / 200}
    for place in wanted:
        if not least - 1e-9 <= place <= most + 1e-9:
            raise InputError(f"quantiles: expected shares from {least:g} to {most:g}, got {place:g}{beyond}")
        sides[f"{NAME}-q-{100 * place:g}"] = place
    return sides


def whole(name: str, value: Any, least: int = 1) -> int:
    """A whole number, also one such as 7.0. Raises InputError."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating) or value != value // 1:
        raise InputError(f"{name}: expected a whole number, got {value!r}")
    if value < least:
        raise InputError(f"{name}: expected at least {least}, got {value:g}")
    return int(value)


def numbers(name: str, given: Any) -> list[float]:
    """One number or several as a list. Raises InputError."""
    several = list(given) if isinstance(given, Sequence | np.ndarray) and not isinstance(given, str) else [given]
    for one in several:
        if isinstance(one, bool) or not isinstance(one, int | float | np.integer | np.floating):
            raise InputError(f"{name}: expected numbers, got {one!r}")
    return [float(one) for one in several]
