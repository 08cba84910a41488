"""Forecasts in Python with data frames in the long form that Nixtla's libraries use."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.datasets.load import from_frame
from recurra.datasets.panel import panel_of
from recurra.datasets.roles import ROLES
from recurra.errors import InputError
from recurra.runs.engine import train
from recurra.runs.run import Run, load
from recurra.timeline import Timeline, Window

if TYPE_CHECKING:
    import pandas as pd

NAME = "Recurra"


class Forecaster:
    """One model for many series: ``fit``, ``predict``, ``cross_validation``.

    Frames are pandas or polars, a row for each step of each series: ``unique_id``, ``ds`` (times or whole numbers),
    ``y``, and covariates. horizon: steps that can be forecast; None: one season, two steps at least. freq: how far
    apart steps are (``h``, ``D``, ``M``, ``rows``, ...; also as pandas writes them, or a whole number); empty: found in
    the data. past, future, static: names of columns: known up to the present, known for the steps to come too, the same
    for all steps of a series. out: the run folder; None: ``runs/forecast``, numbered where that exists. settings: as
    for ``recurra.train``, whose engine this is.

    >>> import recurra
    >>> forecaster = recurra.Forecaster(horizon=28).fit(sales)        # doctest: +SKIP
    >>> forecaster.predict(level=[80, 90])                            # doctest: +SKIP
    """

    def __init__(
        self,
        horizon: int | None = None,
        freq: str | int = "",
        *,
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        static: str | Sequence[str] = (),
        out: str | Path | None = None,
        **settings: Any,
    ):
        self.horizon, self.freq, self.out, self.settings = horizon, str(freq), out, settings
        named = {"past": past, "future": future, "static": static}
        self.covariates = {role: (one,) if isinstance(one, str) else tuple(one) for role, one in named.items()}
        self._run: Run | None = None
        self._frame: pd.DataFrame | None = None
        self._polars = False

    @classmethod
    def load(cls, folder: str | Path) -> "Forecaster":
        """A forecaster that was trained before; ``predict`` then needs ``df``. Raises MissingFileError or RunError."""
        run = load(folder)
        if run.task.name != "forecast":
            raise InputError(f"{folder}: expected a run of the task forecast, got one of {run.task.name}")
        columns = {role: names.split(",") for role, names in run.config.data.columns.items()}
        named = {role: columns.get(role, []) for role in ("past", "future", "static")}
        found = cls(run.config.head.horizon, run.config.modality.frequency, **named, out=folder)
        found._run = run
        return found

    @property
    def run(self) -> Run:
        """The trained run: its report, its figures. Raises InputError before ``fit``."""
        if self._run is None:
            raise InputError("the forecaster is not trained yet: call fit first")
        return self._run

    def fit(self, df: Any, static_df: Any = None) -> "Forecaster":
        """Trains on all series of ``df`` and returns itself.

        static_df: a row for each ``unique_id`` with its static covariates, where ``df`` does not have them itself.
        """
        self._polars = _is_polars(df)
        self._frame = self._joined(df, static_df)
        self._run = self._trained(self._frame, self.horizon)
        return self

    def predict(
        self,
        h: int | None = None,
        df: Any = None,
        *,
        level: Sequence[float] = (80, 90),
        X_df: Any = None,
        static_df: Any = None,
    ) -> Any:
        """A row for each series and step: ``unique_id``, ``ds``, ``Recurra`` and, for each level, the ends of the
        interval that holds so many percent: ``Recurra-lo-80``, ``Recurra-hi-80``.

        h: steps, at most the horizon; None: all. df: what is known, of the series it was trained on or of others;
        None: what it was trained on. X_df: ``unique_id``, ``ds`` and the future covariates of the steps to come.
        Raises InputError for more steps, or wider intervals, than were learnt.
        """
        import pandas as pd

        frame = self._frame if df is None else self._joined(df, static_df)
        if frame is None:
            raise InputError("predict: a forecaster that was loaded needs df, the series as far as they are known")
        h = self._steps(h)
        if X_df is not None:
            ahead = from_frame(X_df)
            static = [name for name in self.covariates["static"] if name in frame]
            if static and "unique_id" in frame:
                ahead = ahead.merge(frame[["unique_id", *static]].drop_duplicates("unique_id"), on="unique_id")
            frame = pd.concat([frame, ahead], ignore_index=True)
            frame.index = pd.RangeIndex(1, len(frame) + 1, name="row")
        windows, _ = self.run.windows(frame, self._columns(frame))
        return self._like(self._table(windows, h, level), self._polars if df is None else _is_polars(df))

    def cross_validation(
        self, df: Any, h: int, n_windows: int = 1, *, step_size: int | None = None, level: Sequence[float] = (80, 90)
    ) -> Any:
        """Forecasts of the last steps of ``df`` by a model that was trained on what lies before them.

        n_windows: moments that are forecast from, ``step_size`` steps apart (None: h), the last one h steps before the
        end; one training, on what was known at the first. Returns what ``predict`` does with ``cutoff``, the last time
        that was known, and ``y``. Series that are too short for it are left out. Raises InputError where all are.
        """
        for name, value in (("h", h), ("n_windows", n_windows), ("step_size", step_size or h)):
            if value < 1:
                raise InputError(f"cross_validation: expected {name} of at least 1, got {value}")
        import pandas as pd

        frame = self._joined(df, None)
        name, step = "cross_validation", step_size or h
        panel = panel_of({"train": frame}, name, self._columns(frame), self.freq, h)
        pairs = zip(panel.lines, panel.known, strict=True)
        first = [(line, known - h - step * (n_windows - 1)) for line, known in pairs]
        first = [(line, end) for line, end in first if end > 1]
        if not first:
            raise InputError(
                f"cross_validation: {n_windows} windows of {h} steps, {step} apart, leave no series anything to learn "
                "from; choose fewer or shorter ones"
            )
        before = pd.concat([_long(line, end) for line, end in first], ignore_index=True)
        self._polars, self._frame = _is_polars(df), frame
        self._run = self._trained(before, h)
        tables = []
        for number in range(n_windows):
            windows = [Window(line, end + number * step, h, self._run.config.modality.steps) for line, end in first]
            table = self._table(windows, h, level)
            table.insert(2, "cutoff", np.repeat([w.line.times[w.origin - 1] for w in windows], h))
            table.insert(3, "y", np.concatenate([window.wanted for window in windows]))
            tables.append(table)
        found = pd.concat(tables).sort_values(["unique_id", "cutoff", "ds"], ignore_index=True)
        return self._like(found, self._polars)

    def _trained(self, frame: "pd.DataFrame", horizon: int | None) -> Run:
        settings = dict(self.settings)
        if horizon is not None:
            settings["head.horizon"] = horizon
        if self.freq:
            settings["modality.frequency"] = self.freq
        settings |= {f"data.columns.{role}": names for role, names in self._columns(frame).items()}
        return train("forecast", frame, out=self.out, settings=settings)

    def _joined(self, df: Any, static_df: Any) -> "pd.DataFrame":
        """In pandas, with the columns of ``static_df``."""
        frame = from_frame(df)
        for column in ("ds", "y"):
            if column not in frame:
                raise InputError(f"expected a frame with columns unique_id, ds and y, got {', '.join(frame.columns)}")
        if static_df is None:
            return frame
        static = from_frame(static_df)
        if "unique_id" not in static or "unique_id" not in frame:
            raise InputError("static_df: expected a column unique_id in both frames")
        missing = sorted(set(frame["unique_id"]) - set(static["unique_id"]))
        if missing:
            raise InputError(f"static_df: no row for the series {missing[0]}")
        joined = frame.merge(static, on="unique_id", how="left", validate="many_to_one")
        joined.index = frame.index
        return joined

    def _columns(self, frame: "pd.DataFrame") -> dict[str, str]:
        """Role to columns, as the command line has them."""
        own = {role: ",".join(names) for role, names in self.covariates.items() if names}
        return {role: role for role in ROLES[:3] if role in frame.columns} | own

    def _steps(self, h: int | None) -> int:
        horizon = int(self.run.config.head.horizon)
        if h is not None and not 1 <= h <= horizon:
            raise InputError(
                f"predict: expected h from 1 to the horizon of {horizon}, got {h}; train with a longer one"
            )
        return h or horizon

    def _table(self, windows: list[Window], h: int, level: Sequence[float]) -> "pd.DataFrame":
        import pandas as pd

        known = np.array(self.run.model.config.head.quantiles)
        sides = {}
        for share in level:
            for side, place in (("lo", 0.5 - share / 200), ("hi", 0.5 + share / 200)):
                if not known[0] - 1e-9 <= place <= known[-1] + 1e-9:
                    widest = 100 * (known[-1] - known[0])
                    raise InputError(
                        f"level: expected 0 to {widest:g}, got {share:g}; wider intervals need head.quantiles beyond "
                        f"{known[0]:g} and {known[-1]:g} in training"
                    )
                sides[f"{NAME}-{side}-{share:g}"] = place
        results = self.run.predict(windows)
        values = np.array([list(result["quantiles"].values()) for result in results])[:, :, :h]
        columns = {
            "unique_id": np.repeat([window.line.id for window in windows], h),
            "ds": np.concatenate([window.line.times[window.origin : window.origin + h] for window in windows]),
            NAME: np.concatenate([result["forecast"][:h] for result in results]),
        }
        for name, place in sides.items():
            at = float(np.interp(place, known, np.arange(len(known))))
            low, share = int(at), at - int(at)
            high = min(low + 1, len(known) - 1)
            columns[name] = ((1 - share) * values[:, low] + share * values[:, high]).ravel()
        return pd.DataFrame(columns)

    def _like(self, table: "pd.DataFrame", polars: bool) -> Any:
        if not polars:
            return table
        import polars as pl

        return pl.from_pandas(table)


def _is_polars(df: Any) -> bool:
    return type(df).__module__.partition(".")[0] == "polars"


def _long(line: Timeline, end: int) -> "pd.DataFrame":
    """A series' first steps as a table."""
    import pandas as pd

    past, future, static = line.names
    columns: dict[str, Any] = {"unique_id": [line.id] * end, "ds": line.times[:end], "y": line.y[:end]}
    columns |= {name: line.past[:end, i] for i, name in enumerate(past)}
    columns |= {name: line.future[:end, i] for i, name in enumerate(future)}
    columns |= {name: [line.static[i]] * end for i, name in enumerate(static)}
    return pd.DataFrame(columns)
