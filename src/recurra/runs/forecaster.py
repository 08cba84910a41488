"""Forecasts in Python with data frames in the long form that Nixtla's libraries use."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.datasets.panel import panel_of
from recurra.datasets.windows import last_windows
from recurra.errors import InputError
from recurra.notes import Change, pass_on
from recurra.runs.engine import train
from recurra.runs.forecasts import Level, columns_of, numbers, sides_of, whole
from recurra.runs.log import Display, Silent
from recurra.runs.long_form import LongForm, Names
from recurra.runs.run import Run, load
from recurra.timeline import Timeline, Window

if TYPE_CHECKING:
    import pandas as pd

USUAL = (80, 90)


class Forecaster:
    """One model for many series: ``fit``, ``predict``, ``cross_validation``.

    Frames are pandas or polars, a row for each step of each series: ``unique_id``, ``ds`` (times or whole numbers),
    ``y``, and covariates; ``id_col``, ``time_col`` and ``target_col`` say what these three are called elsewhere.
    Results come in the same kind of frame, with the names, the types and the time zone of the data, sorted by series;
    times that were texts, or numbers that are dates, come back as times.

    horizon: steps that can be forecast; None or 0: one season, two steps at least. freq: how far apart steps are
    (``h``, ``D``, ``M``, ``rows``, ...; also as pandas writes them, or a whole number), the setting
    ``modality.frequency``; empty: found in the data. past, future, static: names of columns: known up to the present,
    known for the steps to come too, the same for all steps of a series. out: the run folder; None: ``runs/forecast``,
    numbered where that exists. settings: as for ``recurra.train``, whose engine this is.

    A folder ``out`` that is there before the first training is refused. When the same forecaster is trained again, by
    ``fit`` or ``cross_validation``, the new run replaces the old one in it, and gets a numbered folder beside ``out``.

    What was left out of the data, filled or merged is said by a ``recurra.errors.DataNote``, a warning. ``notes`` has
    all that is to be known about the data of the last call, with what was found and guessed.

    >>> import recurra
    >>> forecaster = recurra.Forecaster(horizon=28).fit(sales)        # doctest: +SKIP
    >>> forecaster.predict(level=[80, 90])                            # doctest: +SKIP
    """

    def __init__(
        self,
        horizon: int | None = None,
        freq: str | int | None = "",
        *,
        past: str | Sequence[str] = (),
        future: str | Sequence[str] = (),
        static: str | Sequence[str] = (),
        out: str | Path | None = None,
        **settings: Any,
    ):
        self.horizon = whole("horizon", horizon or 0, least=0)
        self.freq, self.out, self.settings = "" if freq is None else str(freq), out, settings
        named = {"past": past, "future": future, "static": static}
        self.covariates = {role: (one,) if isinstance(one, str) else tuple(one) for role, one in named.items()}
        self.notes: list[str] = []
        self._run: Run | None = None
        self._names = Names()
        self._known: LongForm | None = None

    @classmethod
    def load(cls, folder: str | Path) -> "Forecaster":
        """A forecaster that was trained before, also on the command line; ``predict`` then needs ``df``, with columns
        called as in the training or as ``id_col``, ``time_col`` and ``target_col`` say. Raises MissingFileError or
        RunError.
        """
        run = load(folder)
        if run.task.name != "forecast":
            raise InputError(f"{folder}: expected a run of the task forecast, got one of {run.task.name}")
        columns = run.config.data.columns
        named = {role: columns[role].split(",") for role in ("past", "future", "static") if role in columns}
        found = cls(run.config.head.horizon, run.config.modality.frequency, **named, out=folder)
        found._run = run
        found._names = Names.chosen(columns.get("unique_id"), columns.get("ds"), columns.get("y"), Names())
        return found

    @property
    def run(self) -> Run:
        """The trained run: its report, its figures. Raises InputError before ``fit``."""
        if self._run is None:
            raise InputError("the forecaster is not trained yet: call fit first")
        return self._run

    def fit(
        self,
        df: Any,
        static_df: Any = None,
        *,
        id_col: str = Names.id,
        time_col: str = Names.time,
        target_col: str = Names.target,
    ) -> "Forecaster":
        """Trains on all series of ``df`` and returns itself.

        static_df: a row for each series with its static covariates, where ``df`` does not have them itself.
        """
        known = LongForm(df, Names(id_col, time_col, target_col), static_df)
        self._train(known.table, known, self.horizon, self._columns(known))
        self.notes = list(self.run.events[0]["data"]["notes"])
        return self

    def predict(
        self,
        h: int | None = None,
        df: Any = None,
        *,
        level: Level = None,
        quantiles: Sequence[float] = (),
        X_df: Any = None,
        static_df: Any = None,
        id_col: str | None = None,
        time_col: str | None = None,
        target_col: str | None = None,
    ) -> Any:
        """A row for each series and step: ``unique_id``, ``ds``, ``Recurra`` and, for each level, the ends of the
        interval that holds so many percent: ``Recurra-lo-80``, ``Recurra-hi-80``; for each of quantiles, such as 0.1,
        its value: ``Recurra-q-10``.

        h: steps, at most the horizon; None: all. df: what is known, of the series it was trained on or of others;
        None: what it was trained on. level: one number or several; None: 80 and 90, as far as they were learnt; ``[]``:
        none. X_df: ``unique_id``, ``ds`` and the future covariates of the h steps to come; what is of other series or
        times is left out, and noted. id_col, time_col, target_col: None: as in the training. Raises InputError for
        more steps, or wider intervals, than were learnt.
        """
        horizon = int(self.run.config.head.horizon)
        h = horizon if h is None else whole("h", h)
        if h > horizon:
            raise InputError(
                f"predict: expected h from 1 to the horizon of {horizon}, got {h}; train with a longer one"
            )
        sides = sides_of(self.run.model.head, level, quantiles, USUAL)
        names = Names.chosen(id_col, time_col, target_col, self._names)
        if df is None and static_df is not None:
            raise InputError("predict: static_df goes with df; what it was trained on has its own")
        known = self._known if df is None else LongForm(df, names, static_df)
        if known is None:
            raise InputError(
                "predict: a run folder does not hold the series that it was trained on; give df, the series as far as "
                "they are known"
            )
        config, table, notes = self.run.config, known.table, list[str]()
        if X_df is not None:
            table, notes = known.with_future(X_df, self.covariates["future"], config.modality.frequency)
        columns, learnt = self._columns(known), config.data.columns
        panel = panel_of({"train": table}, known.called, columns, config.modality.frequency, horizon, learnt)
        windows = last_windows(panel, horizon, config.modality.steps, h, "" if X_df is None else "X_df")
        self.notes = [*notes, *panel.notes]
        pass_on(notes if df is None else self.notes)  # of its own data the training has said it
        return self._told(windows, known, sides, h)

    def cross_validation(
        self,
        df: Any,
        h: int,
        n_windows: int = 1,
        *,
        step_size: int | None = None,
        level: Level = None,
        quantiles: Sequence[float] = (),
        static_df: Any = None,
        id_col: str = Names.id,
        time_col: str = Names.time,
        target_col: str = Names.target,
    ) -> Any:
        """Forecasts of the last steps of ``df`` by a model that was trained on what lies before them.

        n_windows: moments that are forecast from, ``step_size`` steps apart (None: h), the last one h steps before the
        end. There is one training, on what was known at the first of them, and no other between: what Nixtla calls
        ``refit=False``. Returns what ``predict`` does with ``cutoff``, the last time that was known, and ``y``. Series
        that are too short for it are left out, and noted. Raises InputError where all are.
        """
        import pandas as pd

        h, n_windows = whole("h", h), whole("n_windows", n_windows)
        step = h if step_size is None else whole("step_size", step_size)
        numbers("level", [] if level is None else level)  # before a training is lost on it
        given = LongForm(df, Names(id_col, time_col, target_col), static_df)
        panel = panel_of({"train": given.table}, given.called, self._columns(given), self.freq, h)
        ends = {line: end - h - step * (n_windows - 1) for line, end in zip(panel.lines, panel.known, strict=True)}
        such = f"{n_windows} windows of {h} steps, {step} apart"
        short = [line.id for line, end in ends.items() if end < 2]
        if len(short) == len(ends):
            raise InputError(
                f"cross_validation: {such}, leave no series anything to learn from; choose fewer or shorter ones"
            )
        notes = list(panel.notes)
        if short:
            listed = ", ".join(short[:3]) + (", ..." if len(short) > 3 else "")
            notes.append(Change(f"df: {len(short):,} series are too short for {such}, and left out: {listed}"))
        ends = {line: end for line, end in ends.items() if end > 1}
        before = pd.concat([_long(line, end, given.names) for line, end in ends.items()], ignore_index=True)
        # The notes are on all of the data, and not on what is left of them.
        self._train(before, given, h, panel.columns | {"unique_id": given.names.id}, Silent())
        self.notes = notes
        pass_on(notes)
        steps = self.run.config.modality.steps
        windows = [Window(line, end + n * step, h, steps) for line, end in ends.items() for n in range(n_windows)]
        return self._told(windows, given, sides_of(self.run.model.head, level, quantiles, USUAL), h, checked=True)

    def _train(
        self,
        table: "pd.DataFrame",
        known: LongForm,
        horizon: int,
        columns: dict[str, str],
        display: Display | None = None,
    ) -> None:
        """columns: role to columns, as the command line has them."""
        settings = self.settings | {f"data.columns.{role}": names for role, names in columns.items()}
        own = {"head.horizon": horizon, "modality.frequency": self.freq}
        settings |= {name: value for name, value in own.items() if value}
        self._run = train("forecast", table, out=self._folder(), settings=settings, display=display)
        self._known, self._names = known, known.names

    def _folder(self) -> Path | None:
        """Where the next run goes: beside those that this forecaster has made already."""
        if self.out is None or self._run is None:
            return Path(self.out) if self.out else None
        out = Path(self.out)
        return next(at for n in itertools.count(2) if not (at := out.with_name(f"{out.name}-{n}")).exists())

    def _columns(self, known: LongForm) -> dict[str, str]:
        own = {"unique_id": known.names.id, "ds": known.names.time, "y": known.names.target}
        if known.alone:
            del own["unique_id"]
        named = {role: list(names) for role, names in self.covariates.items() if names}
        if named and known.static:  # without any name they are guessed, among all others
            named["static"] = list(dict.fromkeys([*named.get("static", []), *known.static]))
        return own | {role: ",".join(names) for role, names in named.items()}

    def _told(
        self, windows: list[Window], known: LongForm, sides: dict[str, float], h: int, *, checked: bool = False
    ) -> Any:
        """The forecasts of the windows in the kind of frame that is known. checked: as for ``columns_of``."""
        windows = sorted(windows, key=lambda window: (known.place(window.line.id), window.origin))
        columns = columns_of(windows, self.run.predict(windows), sides, h, known.names, checked=checked)
        return known.given_back(columns, windows[0].line.utc)


def _long(line: Timeline, end: int, names: Names) -> "pd.DataFrame":
    """A series' first steps as a table."""
    import pandas as pd

    past, future, static = line.names
    columns: dict[str, Any] = {names.id: [line.id] * end, names.time: line.times[:end], names.target: line.y[:end]}
    columns |= {name: line.past[:end, i] for i, name in enumerate(past)}
    columns |= {name: line.future[:end, i] for i, name in enumerate(future)}
    columns |= {name: [line.static[i]] * end for i, name in enumerate(static)}
    return pd.DataFrame(columns)
