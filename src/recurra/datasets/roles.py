"""Columns of a table in the long form: what each one is for, and its values as numbers, times and names."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.tables import HEADER_HINT
from recurra.errors import DataError, InputError, UnknownNameError
from recurra.notes import Change

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("unique_id", "ds", "y", "past", "future", "static")
USUAL = {
    "unique_id": "unique_id id series_id series item_id item store sku product ticker symbol station sensor",
    "ds": "ds date datetime timestamp time month day week year period",
    "y": "y value target sales demand close quantity count amount price load consumption",
}
LARGEST = 1e35  # of float32, with room for sums
OFFSET = r"(?:Z|[+-]\d\d:?\d\d)$"


class Reader:
    """Columns as numbers, times and names, with the row of what cannot be read as such."""

    def __init__(self, table: "pd.DataFrame", name: str):
        self.table, self.name = table, name

    def numbers(self, column: str) -> NDArray[np.float64]:
        """Raises DataError for a value that is neither missing nor a finite number."""
        values = self._numbers(column)
        wrong = np.isinf(values) | (np.isnan(values) & ~self.absent(column))
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            got = self.table[column].iloc[row]
            raise DataError(f"{self.place(row)}, column {column}: expected a finite number, or nothing, got {got!r}")
        if (np.abs(values) > LARGEST).any():
            row = int(np.flatnonzero(np.abs(values) > LARGEST)[0])
            raise DataError(
                f"{self.place(row)}, column {column}: expected numbers up to {LARGEST:g}, got {values[row]:g}; give "
                "them in another unit"
            )
        return values

    def place(self, row: int) -> str:
        """Where a person finds a row; one that does not count as the others do is labelled with the whole of it."""
        label = self.table.index[row]
        return label if isinstance(label, str) else f"{self.name}, row {label}"

    def matrix(self, columns: list[str]) -> NDArray[np.float64]:
        """[rows, C], as ``numbers``."""
        return np.stack([np.zeros(len(self.table)), *map(self.numbers, columns)], axis=1)[:, 1:]

    def _numbers(self, column: str) -> NDArray[np.float64]:
        import pandas as pd

        return np.asarray(pd.to_numeric(self.table[column], errors="coerce"), np.float64)

    def absent(self, column: str) -> NDArray[np.bool_]:
        """Whether there is nothing, or a word for that."""
        import pandas as pd

        values = self.table[column]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            return np.asarray(values.isna(), bool)  # no texts to look at
        empty = values.map(lambda v: isinstance(v, str) and v.strip().lower() in ("", "na", "nan", "null", "none"))
        return np.asarray(values.isna() | empty, bool)

    def is_numeric(self, column: str) -> bool:
        """Whether every value is a number or missing."""
        return not bool((np.isnan(self._numbers(column)) & ~self.absent(column)).any())

    def either(self, column: str) -> list[float | str]:
        """Numbers where all are, else texts."""
        if self.is_numeric(column):
            return list(self.numbers(column).tolist())
        return ["" if absent else str(v) for v, absent in zip(self.table[column], self.absent(column), strict=True)]

    def ids(self, columns: list[str], rows: int) -> NDArray[Any]:
        """[rows], of each the name of its series, with slashes where several columns make it."""
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
        if self.absent(column).any():
            row = int(np.flatnonzero(self.absent(column))[0])
            raise DataError(f"{self.place(row)}, column {column}: expected a time, got nothing")
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
                f"{self.place(row)}, column {column}: expected a time such as 2024-01-31 or 2024-01-31 23:00, got "
                f"{values.iloc[row]!r}; {HEADER_HINT}"
            )
        if not zoned:
            plain = utc.to_numpy().astype("datetime64[s]")
            return plain, plain
        if isinstance(values.iloc[0], str):
            wall = pd.to_datetime(values.str.replace(OFFSET, "", regex=True))
        else:
            wall = pd.to_datetime(values.map(lambda v: v.replace(tzinfo=None)))
        return utc.dt.tz_localize(None).to_numpy().astype("datetime64[s]"), wall.to_numpy().astype("datetime64[s]")


def roles_of(
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
            numeric = [c for c in have if c not in taken and Reader(table, name).is_numeric(c)]
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
    told = f"{name}: {', '.join(guessed)} (guessed; choose with ROLE=NAME, on the command line after --column)"
    return chosen, [told] if guessed else []


def sort_rest(reader: Reader, ids: NDArray[Any], chosen: dict[str, list[str]]) -> list[str]:
    """Puts the columns that nobody spoke of into ``chosen``, and says so. ids: of each row its series."""
    import pandas as pd

    notes: list[str] = []
    taken = {column for named in chosen.values() for column in named}
    rest = [column for column in reader.table.columns if column not in taken]
    several = len(np.unique(ids)) > 1
    for column in rest:
        absent = reader.absent(column)
        if absent.all():
            notes.append(Change(f"{reader.name}: column {column!r} is empty, and left out"))
        elif several and (pd.Series(reader.table[column].to_numpy()).groupby(ids).nunique() <= 1).all():
            chosen["static"].append(column)
        elif reader.is_numeric(column):
            chosen["past"].append(column)
        else:
            unread = f"{reader.name}: column {column!r} is neither a number nor the same for each series: left out"
            notes.append(Change(unread))
    for role, words in (("past", "known up to the present"), ("static", "the same for each series")):
        if chosen[role]:
            listed = ", ".join(chosen[role])
            notes.append(
                f"{reader.name}: {listed} read as {words} (guessed; choose with past=..., future=... and static=..., "
                "on the command line after --column)"
            )
    return notes


def _zoned(values: "pd.Series[Any]") -> bool:
    first = values.iloc[0]
    return bool(re.search(r"\d\d:?\d\d\s*" + OFFSET, first)) if isinstance(first, str) else _has_zone(first)


def _has_zone(value: Any) -> bool:
    import datetime

    return isinstance(value, datetime.datetime) and value.tzinfo is not None
