"""Which column plays which role, and its values as text."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.datasets.tables import HEADER_HINT, frame_of
from recurra.errors import DataError, InputError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

# The names a column of this role mostly has, the most telling first.
USUAL_NAMES = {
    role: names.split()
    for role, names in {
        "text": "text sentence review content body document message comment question tweet title description phrase "
        "query sentence1 sentence_a text1",
        "other": "other pair passage answer positive sentence2 sentence_b text2",
        "score": "score similarity relatedness relatedness_score",
        "label": "label class category sentiment topic target polarity rating stars score y",
    }.items()
}


@dataclass(frozen=True)
class Rows:
    """Rows whose columns are the roles, as text.

    frame: index ``row``, the number of the row in its source, from 1. columns: role to the source's column.
    notes: what a person should know, in sentences.
    """

    name: str
    frame: "pd.DataFrame"
    columns: dict[str, str]
    notes: list[str]


def rows_of(
    table: "pd.DataFrame",
    name: str,
    roles: tuple[str, ...],
    columns: Mapping[str, str],
    familiar: Mapping[str, str] | None = None,
    optional: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
) -> Rows:
    """The table's rows with one column for each role, none of them missing.

    columns: role to column, where chosen. familiar: role to the column it had in other data, taken where the table
    has it. The rest is guessed, which a note says. optional: further roles, had only where the table has a column that
    was chosen for it or has a usual name. gaps: roles that a row may lack, which is then kept with an empty one; rows
    that lack anything else are left out. A note counts both. Raises UnknownNameError for a role or column that is not
    there, InputError where a guess is not possible, DataError where nothing is left.
    """
    chosen, notes = _choose(table, name, roles, optional, columns, familiar or {})
    frame = frame_of({role: [_text(v, name, i, c) for i, v in table[c].items()] for role, c in chosen.items()})
    for role in frame.columns[1:]:
        frame[role] = [None if value is None else value.strip() for value in frame[role]]
    if frame.empty:
        raise InputError(f"{name}: there are no rows")
    missing = frame.isna()
    kept, total = [role for role in frame.columns if role in gaps], len(frame)
    if parts := [f"{n:,} of {total:,} rows have no {role}" for role, n in missing[kept].sum().items() if n]:
        frame[kept] = frame[kept].mask(missing[kept], "")
        notes.append(f"{name}: {' and '.join(parts)}; read as an empty one")
    missing = missing.drop(columns=kept)
    if parts := [f"{n:,} without {role}" for role, n in missing.sum().items() if n]:
        frame = frame[~missing.any(axis=1)]
        if frame.empty:
            raise DataError(f"{name}: no row is complete: of {total:,} rows {' and '.join(parts)}")
        notes.append(f"{name}: {total - len(frame):,} of {total:,} rows left out: {' and '.join(parts)}")
    return Rows(name, frame, chosen, notes)


def _choose(
    table: "pd.DataFrame",
    name: str,
    roles: tuple[str, ...],
    optional: tuple[str, ...],
    columns: Mapping[str, str],
    familiar: Mapping[str, str],
) -> tuple[dict[str, str], list[str]]:
    both = (*roles, *optional)
    for role, column in columns.items():
        if role not in both:
            raise UnknownNameError("role", role, both)
        if column not in table.columns:
            raise UnknownNameError(f"column in {name}", column, map(str, table.columns))
    chosen = {role: columns[role] for role in both if role in columns}
    for role in both:
        known = familiar.get(role)
        if role not in chosen and known in table.columns and known not in chosen.values():
            chosen[role] = familiar[role]
    # Every role first looks for a usual name, so that no role's guess takes a column that another can name.
    for guess, wanted in ((_usual, both), (_remaining, roles)):
        for role in wanted:
            left = [column for column in table.columns if column not in chosen.values()]
            if role not in chosen and (found := guess(table, role, left)) is not None:
                chosen[role] = found
    listed = ", ".join(_short(column) for column in table.columns)
    if len(table.columns) < len(roles):
        raise InputError(f"{name}: its columns are {listed}; needed are one each for {' and '.join(roles)}")
    for role in roles:
        if role not in chosen:
            raise InputError(
                f"{name}: which column is the {role}? Choose with --column {role}=NAME from {listed}; {HEADER_HINT}"
            )
    roles = tuple(role for role in both if role in chosen)
    expected = {role: {role, familiar.get(role), columns.get(role)} for role in roles}
    guessed = [f"{role} is column {_short(chosen[role])}" for role in roles if chosen[role] not in expected[role]]
    said = f"{name}: {', '.join(guessed)} (guessed; choose with --column ROLE=NAME; {HEADER_HINT})"
    return {role: chosen[role] for role in roles}, [said] if guessed else []


def _usual(_: "pd.DataFrame", role: str, left: list[str]) -> str | None:
    by_name = {column.casefold(): column for column in reversed(left)}
    return next((by_name[name] for name in USUAL_NAMES.get(role, (role,)) if name in by_name), None)


def _remaining(table: "pd.DataFrame", role: str, left: list[str]) -> str | None:
    """The only column left; for the text, of several the one with the longest values."""
    if role == "text" and left:
        return max(left, key=lambda column: _mean_length(table[column]))
    return left[0] if len(left) == 1 else None


def _short(column: str) -> str:
    return repr(column if len(column) < 40 else column[:37] + "...")


def _mean_length(values: "Iterable[Any]") -> float:
    lengths = [len(value) for value in values if isinstance(value, str)]
    return sum(lengths) / len(lengths) if lengths else 0.0


def _text(value: Any, name: str, row: Any, column: str) -> str | None:
    """A value as text, None where there is none; 4.0 is 4, as a column with gaps turns whole numbers into floats."""
    if isinstance(value, str):
        if not value.isascii():  # JSON can escape half of a surrogate pair, which no file could be written with.
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value if value and not value.isspace() else None
    import numpy as np
    import pandas as pd

    if isinstance(value, bytes) or not pd.api.types.is_scalar(value):
        raise DataError(f"{name}, row {row}, column {column}: expected a text, got {type(value).__name__}")
    if pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)
