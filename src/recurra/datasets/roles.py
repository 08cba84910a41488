"""Columns of a table in the long form: what each one is for, and its values as numbers, times and names."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.frequency import Frequency
from recurra.datasets.guesses import Guesser, numbers_rows
from recurra.datasets.tables import ABSENT, place
from recurra.datasets.times import Times, counted, moments
from recurra.errors import DataError, InputError, UnknownNameError
from recurra.notes import Change

if TYPE_CHECKING:
    import pandas as pd

ROLES = ("unique_id", "ds", "y", "past", "future", "static")
TRUTH = {"true": 1.0, "false": 0.0}
LARGEST = 1e35  # of float32, with room for sums


class Reader:
    """Columns as numbers, times and names, with the row of what cannot be read as such."""

    def __init__(self, table: "pd.DataFrame", name: str):
        self.table, self.name = table, name
        self._read: dict[str, NDArray[np.float64]] = {}

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
        """Where a person finds a row, by its number from 0."""
        return place(self.name, self.table.index[row])

    def matrix(self, columns: list[str]) -> NDArray[np.float64]:
        """[rows, C], as ``numbers``."""
        return np.stack([np.zeros(len(self.table)), *map(self.numbers, columns)], axis=1)[:, 1:]

    def _numbers(self, column: str) -> NDArray[np.float64]:
        """NaN where there is none; of true and false 1 and 0, where there is nothing else."""
        import pandas as pd

        if column not in self._read:
            values = self.table[column]
            found = np.asarray(pd.to_numeric(values, errors="coerce"), np.float64)
            if len(found) and np.isnan(found).all():
                said = values.map(lambda v: TRUTH.get(v.strip().lower()) if isinstance(v, str) else None)
                if (said.notna() | self.absent(column)).all():
                    found = np.asarray(said, np.float64)
            self._read[column] = found
        return self._read[column]

    def absent(self, column: str) -> NDArray[np.bool_]:
        """Whether there is nothing, or a word for that."""
        import pandas as pd

        values = self.table[column]
        if pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values):
            return np.asarray(values.isna(), bool)  # no texts to look at
        empty = values.map(lambda v: isinstance(v, str) and v.strip().lower() in ABSENT)
        return np.asarray(values.isna() | empty, bool)

    def is_numeric(self, column: str) -> bool:
        """Whether every value is a number or missing."""
        return not bool((np.isnan(self._numbers(column)) & ~self.absent(column)).any())

    def is_whole(self, column: str) -> bool:
        """Whether every value is a whole number or missing, and one is there."""
        found = self._numbers(column)
        there = found[np.isfinite(found)]
        return self.is_numeric(column) and len(there) > 0 and not (there % 1).any()

    def is_text(self, column: str) -> bool:
        """Whether there are words, and nothing but texts or numbers beside them."""
        there = self.table[column][~self.absent(column)]
        return not self.is_numeric(column) and bool(there.map(lambda v: isinstance(v, str | int | float)).all())

    def is_unique(self, column: str) -> bool:
        """Whether no two rows have the same, and none has nothing. The column must be whole, or text."""
        return bool(self.table[column].is_unique) and not self.absent(column).any()

    def fixed(self, column: str, names: NDArray[Any], codes: NDArray[np.int64]) -> list[float | str]:
        """[names], the value that each series has in all its rows, missing ones aside: numbers, or else texts.

        codes: [rows], of each its series, all of which have rows. Raises DataError, naming the row, where a series has
        two values.
        """
        import pandas as pd

        numeric = self.is_numeric(column)
        given = self.numbers(column) if numeric else self.table[column].map(str).mask(self.absent(column)).to_numpy()
        values = pd.Series(given, dtype=object)
        first = values.groupby(codes).first()
        expected = first.to_numpy()[codes]
        differs = (values.notna() & (values != expected)).to_numpy()
        if differs.any():
            row = int(differs.argmax())
            raise DataError(
                f"{self.place(row)}, series {names[codes[row]]}: expected {expected[row]!r} in "
                f"column {column}, which is static, as in the series' other rows, got {values[row]!r}; name it with "
                "--column past=... or future=..., where it is a number, or leave it out"
            )
        return [(np.nan if numeric else "") if pd.isna(value) else value for value in first]

    def ids(self, columns: list[str], rows: int) -> NDArray[Any]:
        """[rows], of each the name of its series, with slashes where several columns make it. Raises DataError for a
        row without.
        """
        if not columns:
            return np.full(rows, "series")
        for column in columns:
            values = self.table[column]  # a name may be any word, also one for nothing
            empty = values.isna() | values.map(lambda v: isinstance(v, str) and not v.strip())
            self._refuse(np.asarray(empty, bool), column, "the name of a series")
        parts = [self.table[column].map(str) for column in columns]
        return np.asarray(parts[0] if len(parts) == 1 else ["/".join(p) for p in zip(*parts, strict=True)], dtype=str)

    def _refuse(self, absent: NDArray[np.bool_], column: str, expected: str) -> None:
        if absent.any():
            raise DataError(f"{self.place(int(absent.argmax()))}, column {column}: expected {expected}, got nothing")

    def times(self, column: str, frequency: str) -> Times:
        """frequency: of the steps, where known; where it is a number of steps, numbers are no dates."""
        import pandas as pd

        self._refuse(self.absent(column), column, "a time")
        if not self.is_numeric(column):
            return moments(self.table[column], self.name, frequency)
        numbers = self._numbers(column)
        if (numbers % 1 != 0).any():
            got = numbers[int((numbers % 1 != 0).argmax())]
            raise DataError(f"{self.name}, column {column}: expected times or whole numbers, got {got}")
        whole = numbers.astype(np.int64)
        if frequency and Frequency.parse(frequency).unit == "step":
            return Times(whole, whole, [])
        return counted(pd.Series(whole, index=self.table.index, name=column), self.name)


def roles_of(
    reader: Reader, columns: Mapping[str, str], familiar: Mapping[str, str]
) -> tuple[dict[str, list[str]], list[str]]:
    """Role to its columns: chosen, familiar, or guessed, which a note says."""
    name, have = reader.name, [str(column) for column in reader.table.columns]
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
    if len(chosen["ds"]) > 1:
        raise InputError(f"{name}: expected one column of times, got {', '.join(chosen['ds'])}; join them beforehand")
    by_column: dict[str, str] = {}
    for role, named in chosen.items():
        for column in named:
            # What y was in the past says nothing of what it will be: each of several y may read all of them.
            if column in by_column and {by_column[column], role} != {"y", "past"}:
                raise InputError(
                    f"{name}: column {column!r} is both {by_column[column]} and {role}; it can be one of them"
                )
            by_column[column] = role
    guessed, guesser = [], Guesser(reader, [column for column in have if column not in by_column])
    for role in ("ds", "unique_id", "y"):
        if not chosen[role] and role in by_column:
            raise InputError(
                f"{name}: column {role!r} is chosen as {by_column[role]}; is it not the {role}? Choose another with "
                f"--column {role}=NAME"
            )
        if not chosen[role] and (found := guesser.take(role, next(iter(chosen["ds"]), None))) is not None:
            chosen[role] = [found]
            guessed += [f"{role} is column {found!r}"] * (found != role)
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
        elif numbers_rows(reader, column):
            notes.append(Change(f"{reader.name}: column {column!r} numbers the rows, and is left out"))
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
