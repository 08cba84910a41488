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
        "source src prompt question input",
        "target": "target translation reply response answer output tgt",
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
    keep_empty: bool = False,
) -> Rows:
    """The table's rows with one column for each role, none of them missing.

    columns: role to column, where chosen. familiar: role to the column it had in other data, taken where the table
    has it. The rest is guessed, which a note says. Rows without a text or a label are left out, or with ``keep_empty``
    kept with an empty one; a note counts them. Raises UnknownNameError for a role or column that is not there,
    InputError where a guess is not possible, DataError where nothing is left.
    """
    chosen, notes = _choose(table, name, roles, columns, familiar or {})
    frame = frame_of({role: [_text(v, name, i, c) for i, v in table[c].items()] for role, c in chosen.items()})
    for role in roles[1:]:
        frame[role] = [None if value is None else value.strip() for value in frame[role]]
    if frame.empty:
        raise InputError(f"{name}: there are no rows")
    missing = frame.isna()
    if missing.to_numpy().any() and keep_empty:
        parts = [f"{n:,} of {len(missing):,} rows have no {role}" for role, n in missing.sum().items() if n]
        frame = frame.mask(missing, "")
        notes.append(f"{name}: {' and '.join(parts)}; read as an empty one")
    elif missing.to_numpy().any():
        parts = [f"{n:,} without {role}" for role, n in missing.sum().items() if n]
        frame = frame[~missing.any(axis=1)]
        if frame.empty:
            raise DataError(f"{name}: no row is complete: of {len(missing):,} rows {' and '.join(parts)}")
        notes.append(f"{name}: {len(missing) - len(frame):,} of {len(missing):,} rows left out: {' and '.join(parts)}")
    return Rows(name, frame, chosen, notes)


def _choose(
    table: "pd.DataFrame",
    name: str,
    roles: tuple[str, ...],
    columns: Mapping[str, str],
    familiar: Mapping[str, str],
) -> tuple[dict[str, str], list[str]]:
    for role, column in columns.items():
        if role not in roles:
            raise UnknownNameError("role", role, roles)
        if column not in table.columns:
            raise UnknownNameError(f"column in {name}", column, map(str, table.columns))
    chosen = {role: columns[role] for role in roles if role in columns}
    for role in roles:
        known = familiar.get(role)
        if role not in chosen and known in table.columns and known not in chosen.values():
            chosen[role] = familiar[role]
    # Every role first looks for a usual name, so that no role's guess takes a column that another can name.
    for guess in (_usual, _remaining):
        for role in roles:
            left = [column for column in table.columns if column not in chosen.values()]
            if role not in chosen and (found := guess(table, role, left, roles)) is not None:
                chosen[role] = found
    listed = ", ".join(_short(column) for column in table.columns)
    if len(table.columns) < len(roles):
        raise InputError(f"{name}: its columns are {listed}; needed are one each for {' and '.join(roles)}")
    for role in roles:
        if role not in chosen:
            raise InputError(
                f"{name}: which column is the {role}? Choose with --column {role}=NAME from {listed}; {HEADER_HINT}"
            )
    expected = {**dict(zip(roles, roles, strict=True)), **familiar, **columns}
    guessed = [f"{role} is column {_short(chosen[role])}" for role in roles if chosen[role] != expected[role]]
    said = f"{name}: {', '.join(guessed)} (guessed; choose with --column ROLE=NAME; {HEADER_HINT})"
    return {role: chosen[role] for role in roles}, [said] if guessed else []


def _usual(_: "pd.DataFrame", role: str, left: list[str], roles: tuple[str, ...]) -> str | None:
    by_name = {column.casefold(): column for column in reversed(left)}
    return next((by_name[name] for name in USUAL_NAMES.get(role, (role,)) if name in by_name), None)


def _remaining(table: "pd.DataFrame", role: str, left: list[str], roles: tuple[str, ...]) -> str | None:
    """The only column left; for the text, of several the one with the longest values, unless the target is one too."""
    if role == "text" and left and "target" not in roles:
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
