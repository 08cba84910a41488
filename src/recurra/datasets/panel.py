"""Many series in one table, a row for each step of each: ``unique_id, ds, y`` and what else there is."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.frequency import Frequency, found_in
from recurra.datasets.tables import HEADER_HINT
from recurra.errors import DataError, InputError, UnknownNameError
from recurra.timeline import Names, Timeline

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("unique_id", "ds", "y", "past", "future", "static")
USUAL = {
    "unique_id": "unique_id id series_id series item_id item store sku product ticker symbol station sensor",
    "ds": "ds date datetime timestamp time month day week year period",
    "y": "y value target sales demand close quantity count amount price load consumption",
}
OFFSET = r"(?:Z|[+-]\d\d:?\d\d)$"
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Panel:
    """lines: the series, each with ``horizon`` steps to come. known: after each one's last known y. cuts: of each the
    first steps of the parts ``valid`` and ``test``, for parts that the data have. columns: role to columns, with
    commas. notes: what a person should know, in sentences.
    """

    name: str
    lines: list[Timeline]
    known: list[int]
    cuts: list[dict[str, int]]
    columns: dict[str, str]
    frequency: Frequency
    notes: list[str]


def panel_of(
    tables: "Mapping[str, pd.DataFrame]",
    name: str,
    columns: Mapping[str, str],
    frequency: str,
    horizon: int,
    familiar: Mapping[str, str] | None = None,
) -> Panel:
    """The series of tables in the long form.

    tables: of the parts train, valid and test, those there are, one after the other in time. columns: role to column,
    or columns with commas between them, where chosen; familiar: taken where the table has it. frequency: empty: found.
    horizon: steps to come that each series has after its last known one. Raises DataError, InputError or
    UnknownNameError.
    """
    import pandas as pd

    parts = [part for part in PARTS if part in tables]
    table = pd.concat([tables[part] for part in parts]) if len(parts) > 1 else tables[parts[0]]
    if table.empty:
        raise InputError(f"{name}: there are no rows")
    part = np.repeat(np.arange(len(parts)), [len(tables[p]) for p in parts])
    chosen, notes = _columns(table, name, columns, familiar or {})
    reader = _Reader(table, name)
    times, local = reader.times(chosen["ds"])
    ids = reader.ids(chosen["unique_id"], len(table))
    listed = [column for role in ("past", "future") for column in chosen[role]]
    if not listed and not chosen["static"]:
        rest = [c for c in table.columns if c not in {x for named in chosen.values() for x in named}]
        notes += _sort_rest(reader, ids, rest, chosen)
        listed = chosen["past"]
    covariates = np.stack([np.zeros(len(table)), *(reader.numbers(c) for c in listed)], axis=1)[:, 1:]
    static = [reader.either(column) for column in chosen["static"]]
    targets = chosen["y"]
    y = np.stack([reader.numbers(column) for column in targets], axis=1)
    names = np.unique(ids)
    codes = np.searchsorted(names, ids)
    if times is None or local is None:
        notes.append(f"{name}: no column of times, so the rows are taken for steps one after the other")
        times = local = np.arange(len(codes))
    order = np.lexsort((times, codes))
    if chosen["ds"] and (order != np.lexsort((np.arange(len(codes)), codes))).any():
        notes.append(f"{name}: the rows were not in the order of time, and are sorted")
    order, repeated = _without_repetitions(order, codes, times, np.concatenate([y, covariates], 1), names, name)
    if repeated:
        notes.append(f"{name}: {repeated:,} rows that repeat another one are left out")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    if frequency:
        grid = Frequency.parse(frequency)
    elif times.dtype.kind != "M" and not chosen["ds"]:
        grid = Frequency(1, "step")
    else:
        grid = found_in({str(names[codes[g[0]]]): times[g] for g in groups}, name)
    if local is not times and grid.unit in ("D", "B", "W", "M", "Q", "Y"):
        times = local
    elif local is not times:
        notes.append(f"{name}: times with a time zone are read as UTC")
    found = _Lines(name, grid, horizon, many=len(targets) > 1)
    split = len(chosen["past"])
    shown: Names = (tuple(chosen["past"]), tuple(chosen["future"]), tuple(chosen["static"]))
    for group in groups:
        about = tuple(column[group[0]] for column in static)
        for column, target in enumerate(targets):
            id = target if len(targets) > 1 and len(groups) == 1 else str(names[codes[group[0]]])
            id = f"{id}/{target}" if len(targets) > 1 and len(groups) > 1 else id
            data = times[group], y[group, column], covariates[group, :split], covariates[group, split:], part[group]
            found.add(id, *data, about, shown)
    if not found.lines:
        raise DataError(f"{name}: no series has a single number in {', '.join(targets)}")
    cuts = [{parts[k]: step for k, step in at.items() if k} for at in found.firsts]
    columns = {role: ",".join(named) for role, named in chosen.items() if named}
    return Panel(name, found.lines, found.known, cuts, columns, grid, [*notes, *found.notes(listed)])


class _Lines:
    """The series one after the other, put on their grids, with a count of what was filled or left out."""

    def __init__(self, name: str, grid: Frequency, horizon: int, many: bool):
        self.name, self.grid, self.horizon = name, grid, horizon
        self.lines: list[Timeline] = []
        self.known: list[int] = []
        self.firsts: list[dict[int, int]] = []
        self.empty: list[str] = []
        self.constant = self.gaps = self.gapped = self.missing = self.filled = self.early = 0

    def add(
        self,
        id: str,
        times: NDArray[Any],
        y: NDArray[np.float64],
        past: NDArray[np.float64],
        future: NDArray[np.float64],
        part: NDArray[np.int64],
        static: tuple[float | str, ...],
        names: Names,
    ) -> None:
        there = np.flatnonzero(~np.isnan(y))
        if not len(there):
            self.empty.append(id)
            return
        self.early += int(there[0])
        rows = slice(int(there[0]), None)
        times, y, past, future, part = times[rows], y[rows], past[rows], future[rows], part[rows]
        last = int(there[-1] - there[0])
        places = self.grid.places(times, f"{self.name}, series {id}")
        if (np.diff(places) < 1).any():
            at = times[int(np.flatnonzero(np.diff(places) < 1)[0]) + 1]
            raise DataError(f"{self.name}, series {id}, {at}: a second row for one {self.grid.words}; keep one of them")
        known = int(places[last]) + 1
        total = max(known + self.horizon, int(places[-1]) + 1)
        full = self.grid.times(times[0], total, times)
        self.gaps += known - last - 1
        self.gapped += known > last + 1
        self.missing += int(np.isnan(y[: last + 1]).sum())
        self.filled += int(np.isnan(past[: last + 1]).sum() + np.isnan(future[: last + 1]).sum())
        self.constant += len(there) > 1 and bool((y[there - there[0]] == y[0]).all())
        columns = [np.full((total, values.shape[1]), np.nan) for values in (y[:, None], past, future)]
        for column, values in zip(columns, (y[:, None], past, future), strict=True):
            column[places] = values
        self.lines.append(Timeline(id, full, columns[0][:, 0], columns[1], columns[2], static, names))
        self.known.append(known)
        seen = part[: last + 1]
        self.firsts.append({int(k): int(places[int(np.argmax(seen == k))]) for k in np.unique(seen)})

    def notes(self, covariates: list[str]) -> list[str]:
        found = []
        if self.gaps:
            found.append(f"{self.gaps:,} steps in {self.gapped:,} series have no row; they are read as missing")
        if self.missing:
            found.append(f"{self.missing:,} rows have no y; they are read as missing, neither filled nor counted")
        if self.early:
            found.append(f"{self.early:,} rows before a series' first y left out")
        if self.filled:
            found.append(f"{self.filled:,} missing values of {', '.join(covariates)} are read as the mean")
        if self.empty:
            listed = ", ".join(self.empty[:3]) + (", ..." if len(self.empty) > 3 else "")
            found.append(f"{len(self.empty):,} series without any y left out: {listed}")
        if self.constant:
            found.append(f"{self.constant:,} series are constant")
        return [f"{self.name}: {note}" for note in found]


class _Reader:
    """Columns as numbers, times and names, with the row of what cannot be read as such."""

    def __init__(self, table: "pd.DataFrame", name: str):
        self.table, self.name = table, name

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Raises DataError for a value that is neither missing nor a finite number."""
        values = self._numbers(column)
        wrong = np.isinf(values) | (np.isnan(values) & ~self._absent(column))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            got = self.table[column].iloc[row]
            raise DataError(
                f"{self.name}, row {self.table.index[row]}, column {column}: expected a finite number, or nothing, got "
                f"{got!r}"
            )
        return values

    def _numbers(self, column: str) -> NDArray[np.float64]:
        import pandas as pd

        return np.asarray(pd.to_numeric(self.table[column], errors="coerce"), np.float64)

    def _absent(self, column: str) -> NDArray[np.bool_]:
        import pandas as pd

        values = self.table[column]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            return np.asarray(values.isna(), bool)  # no texts to look at
        empty = values.map(lambda v: isinstance(v, str) and v.strip().lower() in ("", "na", "nan", "null", "none"))
        return np.asarray(values.isna() | empty, bool)

    def is_numeric(self, column: str) -> bool:
        """Whether every value is a number or missing."""
        return not bool((np.isnan(self._numbers(column)) & ~self._absent(column)).any())

    def either(self, column: str) -> list[float | str]:
        if self.is_numeric(column):
            return list(self.numbers(column).tolist())
        return ["" if absent else str(v) for v, absent in zip(self.table[column], self._absent(column), strict=True)]

    def ids(self, columns: list[str], rows: int) -> NDArray[Any]:
        if not columns:
            return np.full(rows, "series")
        parts = [self.table[column].map(str) for column in columns]
        return np.asarray(parts[0] if len(parts) == 1 else ["/".join(p) for p in zip(*parts, strict=True)], dtype=str)

    def times(self, columns: list[str]) -> tuple[NDArray[Any] | None, NDArray[Any] | None]:
        """[rows] in UTC, and as the clock on the wall has them; the same array twice where there is no time zone."""
        import pandas as pd

        if not columns:
            return None, None
        values, column = self.table[columns[0]], columns[0]
        if self._absent(column).any():
            row = self.table.index[int(np.flatnonzero(self._absent(column))[0])]
            raise DataError(f"{self.name}, row {row}, column {column}: expected a time, got nothing")
        if self.is_numeric(column):
            numbers = self._numbers(column)
            if (numbers % 1 != 0).any():
                raise DataError(f"{self.name}, column {column}: expected times or whole numbers, got {numbers[0]}")
            whole = numbers.astype(np.int64)
            return whole, whole
        zoned = _zoned(values)
        try:
            utc = pd.to_datetime(values.infer_objects(), utc=zoned)
        except (ValueError, TypeError):
            utc = pd.to_datetime(values, errors="coerce", utc=zoned, format="mixed")
        if utc.isna().any():
            row = int(np.flatnonzero(utc.isna())[0])
            raise DataError(
                f"{self.name}, row {self.table.index[row]}, column {column}: expected a time such as 2024-01-31 or "
                f"2024-01-31 23:00, got {values.iloc[row]!r}; {HEADER_HINT}"
            )
        if not zoned:
            plain = utc.to_numpy().astype("datetime64[s]")
            return plain, plain
        if isinstance(values.iloc[0], str):
            wall = pd.to_datetime(values.str.replace(OFFSET, "", regex=True))
        else:
            wall = pd.to_datetime(values.map(lambda v: v.replace(tzinfo=None)))
        return utc.dt.tz_localize(None).to_numpy().astype("datetime64[s]"), wall.to_numpy().astype("datetime64[s]")


def _zoned(values: "pd.Series[Any]") -> bool:
    first = values.iloc[0]
    return bool(re.search(r"\d\d:?\d\d\s*" + OFFSET, first)) if isinstance(first, str) else _has_zone(first)


def _has_zone(value: Any) -> bool:
    import datetime

    return isinstance(value, datetime.datetime) and value.tzinfo is not None


def _columns(
    table: "pd.DataFrame", name: str, columns: Mapping[str, str], familiar: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Role to its columns: chosen, familiar, or guessed, which a note says."""
    have = [str(column) for column in table.columns]
    chosen: dict[str, list[str]] = {role: [] for role in ROLES}
    for role, text in columns.items():
        if role not in ROLES:
            raise UnknownNameError("role", role, ROLES)
        chosen[role] = [text] if text in have else text.split(",")
        for column in chosen[role]:
            if column not in have:
                raise UnknownNameError(f"column in {name}", column, have)
    for role, text in familiar.items():
        named = [text] if text in have else text.split(",")
        if role in chosen and not chosen[role] and set(named) <= set(have):
            chosen[role] = named
    guessed = []
    for role in ("ds", "unique_id", "y"):
        if chosen[role]:
            continue
        taken = {column for found in chosen.values() for column in found}
        by_name = {column.casefold(): column for column in reversed(have) if column not in taken}
        usual = next((by_name[n] for n in USUAL[role].split() if n in by_name), None)
        if usual is None and role == "y":
            numeric = [c for c in have if c not in taken and _Reader(table, name).is_numeric(c)]
            if len(numeric) != 1:
                raise InputError(
                    f"{name}: which column is to be forecast? Choose with --column y=NAME, or several with commas, "
                    f"from {', '.join(have)}; {HEADER_HINT}"
                )
            usual = numeric[0]
        if usual is not None:
            chosen[role] = [usual]
            if usual != role:
                guessed.append(f"{role} is column {usual!r}")
    told = f"{name}: {', '.join(guessed)} (guessed; choose with --column ROLE=NAME)"
    return chosen, [told] if guessed else []


def _sort_rest(reader: _Reader, ids: NDArray[Any], rest: list[str], chosen: dict[str, list[str]]) -> list[str]:
    """Puts the columns that nobody spoke of into ``chosen``, and says so."""
    import pandas as pd

    notes = []
    several = len(np.unique(ids)) > 1
    for column in rest:
        absent = reader._absent(column)
        if absent.all():
            notes.append(f"{reader.name}: column {column!r} is empty, and left out")
        elif several and (pd.Series(reader.table[column].to_numpy()).groupby(ids).nunique() <= 1).all():
            chosen["static"].append(column)
        elif reader.is_numeric(column):
            chosen["past"].append(column)
        else:
            notes.append(f"{reader.name}: column {column!r} is neither a number nor the same for each series: left out")
    for role, words in (("past", "known up to the present"), ("static", "the same for each series")):
        if chosen[role]:
            listed = ", ".join(chosen[role])
            notes.append(
                f"{reader.name}: {listed} read as {words} (guessed; choose with --column past=..., future=..., "
                "static=...)"
            )
    return notes


def _without_repetitions(
    order: NDArray[np.int64],
    codes: NDArray[np.int64],
    times: NDArray[Any],
    values: NDArray[np.float64],
    names: NDArray[Any],
    name: str,
) -> tuple[NDArray[np.int64], int]:
    """Rows in order of series and time, each once, and how many are gone. Raises DataError where two disagree."""
    before, after = order[:-1], order[1:]
    same = (codes[before] == codes[after]) & (times[before] == times[after])
    equal = ((values[before] == values[after]) | (np.isnan(values[before]) & np.isnan(values[after]))).all(1)
    if (same & ~equal).any():
        row = after[int(np.flatnonzero(same & ~equal)[0])]
        raise DataError(
            f"{name}, series {names[codes[row]]}, {times[row]}: two rows for one time with different values; keep one "
            "of them, name what tells their series apart with --column unique_id=NAME, or, where clocks were set "
            "back, give the times with their zone"
        )
    return order[np.concatenate([[True], ~same])], int(same.sum())
