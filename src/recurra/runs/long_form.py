"""Data frames in the long form: read into pandas, and results given back in the types that came."""

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.load import from_frame
from recurra.datasets.roles import Reader
from recurra.errors import InputError
from recurra.notes import Change

if TYPE_CHECKING:
    import pandas as pd

CUTOFF = "cutoff"


@dataclass(frozen=True)
class Names:
    """The columns that hold the series' name, the time and the number."""

    id: str = "unique_id"
    time: str = "ds"
    target: str = "y"

    @classmethod
    def chosen(cls, id: str | None, time: str | None, target: str | None, other: "Names") -> "Names":
        """Those of ``other`` where there is None."""
        return cls(id or other.id, time or other.time, target or other.target)


class LongForm:
    """A user's frame: pandas, polars, or lazy polars, which is collected.

    table: its columns as Python objects; the index counts its rows from 1. static: the columns that came with a frame
    of their own. Raises InputError for a frame without one of ``names``; only ``unique_id`` may be missing, of a single
    series.
    """

    def __init__(self, frame: Any, names: Names, static: Any = None, called: str = "df"):
        given = _open(frame, [names.id, names.time])
        self.names, self.called, self.polars = names, called, _is_polars(given)
        self.table = from_frame(_without_periods(given, names.time))
        self.alone = names.id not in self.table and names.id == Names.id
        _expect(self.table, [name for name in astuple(names) if not (self.alone and name == names.id)], called)
        self.first = self.table[names.time].iloc[0] if len(self.table) else None
        self.time = given[names.time].dtype
        self.ids = None if self.alone else _sorted(given[names.id])
        self.places = {text: place for place, text in enumerate([] if self.ids is None else _texts(self.ids))}
        self.static: list[str] = []
        if static is not None:
            self._add(from_frame(_open(static, [names.id])))

    def place(self, id: str) -> int:
        """Where a series stands among those of the frame, in the order of their own type."""
        return self.places.get(id, 0)

    def with_future(
        self, frame: Any, covariates: Sequence[str], frequency: str = ""
    ) -> "tuple[pd.DataFrame, list[str]]":
        """The table with a row for each step to come of each series, which ``frame`` (X_df) has, and notes.

        What is of no series of the table, or not after the last that is known of its series, is left out. frequency: of
        the steps, where known.
        """
        import pandas as pd

        if not covariates:
            return self.table, [Change("X_df: left out, as no covariate is known for the steps to come (future=[...])")]
        names = self.names
        own = [*([] if self.alone else [names.id]), names.time]
        ahead = from_frame(_without_periods(_open(frame, own), names.time))
        _expect(ahead, [*own, *covariates], "X_df")
        ahead = ahead[[*own, *covariates]]
        if len(ahead) and (_zone(self.first) is None) != (_zone(ahead[names.time].iloc[0]) is None):
            raise InputError(f"X_df: {names.time} has a time zone there or in {self.called}, but not in both")
        ahead.index = pd.Index([f"X_df, row {row}" for row in ahead.index], dtype=object)
        joined = pd.concat([self.table, ahead])
        reader, new = Reader(joined, self.called), np.arange(len(joined)) >= len(self.table)
        times = reader.times(names.time, frequency).utc
        lines, codes = np.unique(reader.ids(own[:-1], len(joined)), return_inverse=True)
        known = ~np.isnan(reader.numbers(names.target))
        last = np.full(len(lines), np.iinfo(np.int64).min)
        np.maximum.at(last, codes[known], times.astype(np.int64)[known])
        foreign = new & (last[codes] == np.iinfo(np.int64).min)
        early = new & ~foreign & (times.astype(np.int64) <= last[codes])
        reasons = {f"of series without any {names.target} in {self.called}": foreign}
        reasons |= {f"not after the last {names.target} of their series in {self.called}": early}
        notes: list[str] = []
        for reason, rows in reasons.items():
            if rows.any():
                row = int(np.flatnonzero(rows)[0])
                count = "1 row is" if rows.sum() == 1 else f"{rows.sum():,} rows are"
                such = f"row {row - len(self.table) + 1}: {lines[codes[row]]}, {times[row]}"
                notes.append(Change(f"X_df: {count} {reason}, and left out; the first is {such}"))
        return joined[~(foreign | early)], notes

    def given_back(self, columns: Mapping[str, Any], utc: bool) -> Any:
        """A frame of the user's kind. columns: the series' names as texts, times as ``Timeline`` has them, numbers.

        utc: those times are in UTC.
        """
        import pandas as pd

        names = self.names
        own: dict[str, Callable[[Any], Any]] = {names.id: self._ids}
        own |= {name: lambda values: self._times(values, utc) for name in (names.time, CUTOFF)}
        found = {name: own.get(name, lambda values: values)(values) for name, values in columns.items()}
        if not self.polars:
            return pd.DataFrame(found)
        import polars as pl

        return pl.DataFrame(found)

    def _ids(self, texts: Sequence[str]) -> Any:
        """Each series' name as it was given."""
        if self.ids is None:
            return list(texts)
        places = [self.places[text] for text in texts]
        return self.ids[places] if self.polars else self.ids.iloc[places].array

    def _times(self, values: NDArray[Any], utc: bool) -> Any:
        """Times in the zone and the type that were given; of texts, as times."""
        import pandas as pd

        times = pd.Series(values)
        dated = values.dtype.kind == "M"
        zone = _zone(self.first)
        if dated and utc:
            times = times.dt.tz_localize("UTC").dt.tz_convert(zone or "UTC")
        elif dated and zone is not None:
            # Of two such hours the first; for an hour that never comes, the next one that does.
            early = np.ones(len(times), bool)
            times = times.dt.tz_localize(zone, ambiguous=early, nonexistent="shift_forward")
        if self.polars:
            return _as_polars(times, self.time, dated)
        if isinstance(self.time, pd.PeriodDtype):
            return times.dt.to_period(self.time.freq.freqstr)
        if dated and isinstance(self.first, datetime.date) and not isinstance(self.first, datetime.datetime):
            times = times.dt.date
        same = pd.api.types.is_datetime64_any_dtype if dated else pd.api.types.is_numeric_dtype
        return times.astype(self.time) if same(self.time) else times

    def _add(self, static: "pd.DataFrame") -> None:
        """The columns of ``static``, which has one row for each series."""
        id = self.names.id
        for table, name in ((self.table, self.called), (static, "static_df")):
            _expect(table, [id], name)
        if (twice := static[id].duplicated()).any():
            raise InputError(f"static_df: two rows for the series {static[id][twice].iloc[0]}; keep one of them")
        known = static.set_index(id)
        missing = self.table[id][~self.table[id].isin(known.index)]
        if len(missing):
            raise InputError(f"static_df: no row for the series {missing.iloc[0]}")
        if both := known.columns.intersection(self.table.columns).tolist():
            raise InputError(f"static_df: {self.called} has a column {both[0]} too; leave it out of one of them")
        self.static = [str(column) for column in known.columns]
        self.table[known.columns] = known.loc[self.table[id]].to_numpy()


def _open(frame: Any, wanted: Sequence[str]) -> Any:
    """A lazy frame collected, columns that a pandas frame has for its index beside the others, and of columns that are
    wanted together (``store,item``) one."""
    import pandas as pd

    if _is_polars(frame) and type(frame).__name__ == "LazyFrame":
        frame = frame.collect()
    if isinstance(frame, pd.DataFrame):
        inside = [name for name in frame.index.names if name in wanted]
        frame = frame.reset_index(level=inside) if inside else frame
    for name in wanted:
        parts = name.split(",")
        if name not in frame and len(parts) > 1 and all(part in frame for part in parts):
            rows = zip(*(map(str, frame[part]) for part in parts), strict=True)
            together = ["/".join(row) for row in rows]
            if _is_polars(frame):
                import polars as pl

                frame = frame.with_columns(pl.Series(name, together))
            else:
                frame = frame.assign(**{name: together})
    return frame


def _expect(table: "pd.DataFrame", columns: Sequence[str], called: str) -> None:
    missing = [name for name in columns if name not in table]
    if missing:
        raise InputError(
            f"{called}: expected columns {', '.join(columns)}, got {', '.join(map(str, table.columns)) or 'none'}; "
            "id_col, time_col and target_col say what unique_id, ds and y are called"
        )


def _is_polars(frame: Any) -> bool:
    return type(frame).__module__.partition(".")[0] == "polars"


def _without_periods(frame: Any, time: str) -> Any:
    """Periods as the times that they begin at."""
    import pandas as pd

    if isinstance(frame, pd.DataFrame) and time in frame and isinstance(frame[time].dtype, pd.PeriodDtype):
        return frame.assign(**{time: frame[time].dt.to_timestamp()})
    return frame


def _sorted(ids: Any) -> Any:
    """Each once, in the order of its own type; objects that are not all of one, as texts."""
    if _is_polars(ids):
        return ids.unique().sort()
    once = ids.drop_duplicates().reset_index(drop=True)
    plain = once.infer_objects()
    return once[(plain.map(str) if plain.dtype == object else plain).sort_values().index]


def _texts(ids: Any) -> list[str]:
    """What the series are called inside."""
    return [str(id) for id in (ids.to_pandas() if _is_polars(ids) else ids)]


def _zone(time: Any) -> datetime.tzinfo | None:
    return time.tzinfo if isinstance(time, datetime.datetime) else None


def _as_polars(times: "pd.Series[Any]", dtype: Any, dated: bool) -> Any:
    import polars as pl

    found = pl.from_pandas(times)
    return found.cast(dtype) if (dtype.is_temporal() if dated else dtype.is_numeric()) else found
