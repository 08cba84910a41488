"""Which column plays which role, and its values as that role has them: text, numbers, series of numbers."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.datasets import spans
from recurra.datasets.fasta import FASTA, FASTQ
from recurra.datasets.files import data_suffix
from recurra.datasets.tables import HEADER_HINT, frame_of
from recurra.datasets.turns import with_earlier
from recurra.errors import DataError, InputError, UnknownNameError
from recurra.notes import Change

if TYPE_CHECKING:
    import pandas as pd

# The names a column of this role mostly has, the most telling first.
USUAL_NAMES = {
    role: names.split()
    for role, names in {
        "text": "text sentence review content body document message comment question tweet title description phrase "
        "tokens words source src prompt question input query sentence1 sentence_a text1",
        "target": "target translation reply response answer output tgt",
        "tags": "tags tag labels label ner_tags pos_tags chunk_tags",
        "other": "other pair passage answer positive sentence2 sentence_b text2",
        "score": "score similarity relatedness relatedness_score",
        "dialogue": "dialogue dialog conversation thread session",
        "label": "label class category sentiment topic target polarity rating stars score y",
        "number": "number value target rating stars score price amount y",
        "symbols": "symbols sequence seq dna rna protein bases read",
        "series": "series signal values sequence recording channels x",
    }.items()
}

# What a source says of its rows beside what the task reads: it is given back with their predictions.
ABOUT = ("id", "time")

# A frame's attribute: role to the source's column, for messages.
SOURCE = "columns"

# Of so many rows labels are not all different.
MANY = 20

# Roles whose values may be lists, which become tuples of texts: a text already divided, and what its tokens are.
LISTS = ("text", "tags")


@dataclass(frozen=True)
class Rows:
    """Rows whose columns are the roles: ``number`` a float, ``series`` an array [T, I], all others text.

    frame: index ``row``, the number of the row in its source, from 1. columns: role to the source's column.
    notes: what a person should know, in sentences.
    """

    name: str
    frame: "pd.DataFrame"
    columns: dict[str, str]
    notes: list[str]

    def __post_init__(self) -> None:
        self.frame.attrs[SOURCE] = self.columns


def rows_of(
    table: "pd.DataFrame",
    name: str,
    roles: tuple[str, ...],
    columns: Mapping[str, str],
    familiar: Mapping[str, str] | None = None,
    optional: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
    turns: int = 0,
) -> Rows:
    """The table's rows with one column for each role, none of them missing.

    columns: role to column, where chosen. familiar: role to the column it had in other data, taken where the table
    has it. The rest is guessed, which a note says. optional: further roles, had only where the table has a column that
    was chosen for it or has a usual name. gaps: roles that a row may lack, which is then kept with an empty one; rows
    that lack anything else are left out. A note counts both. turns: where there is the role ``dialogue``, after how
    many earlier ones of its dialogue each text is read. Raises UnknownNameError for a role or column that is not there,
    InputError where a guess is not possible, DataError where nothing is left.
    """
    if "series" in roles:
        table = _with_series(table, name, roles, columns, familiar or {})
    chosen, notes = _choose(table, name, roles, optional, columns, familiar or {})
    from recurra import arrays  # numpy takes its time

    # The values that are no text: each is read from what is there and where it stands; None is a missing one.
    readers: dict[str, Callable[[Any, str], Any]] = dict.fromkeys(LISTS, _pieces)
    readers |= {"number": arrays.number, "series": arrays.series, "time": lambda times, where: times}
    if roles[0] == "symbols":
        readers["tags"] = _letters
    values: dict[str, list[Any]] = {}
    for role, c in chosen.items():
        read: Callable[[Any, str], Any] = readers.get(role, _text if role == roles[0] else label_of)
        values[role] = [read(value, f"{name}, row {i}, column {c}") for i, value in table[c].items()]
    frame = frame_of(values).set_axis(table.index)
    if frame.empty:
        raise InputError(f"{name}: there are no rows")
    missing = frame.isna()
    kept, total = [role for role in frame.columns if role in gaps], len(frame)
    if parts := [f"{n:,} of {total:,} rows have no {role}" for role, n in missing[kept].sum().items() if n]:
        empty = {role: arrays.series([], role) if role == "series" else "" for role in kept}
        full = {role: [empty[role] if v is None else v for v in values[role]] for role in kept}
        frame = frame_of({**values, **full}).set_axis(table.index)
        notes.append(Change(f"{name}: {' and '.join(parts)}; read as an empty one"))
    missing = missing.drop(columns=kept)
    if parts := [f"{n:,} without {role}" for role, n in missing.sum().items() if n]:
        frame = frame[~missing.any(axis=1)]
        if frame.empty:
            raise DataError(f"{name}: no row is complete: of {total:,} rows {' and '.join(parts)}")
        notes.append(Change(f"{name}: {total - len(frame):,} of {total:,} rows left out: {' and '.join(parts)}"))
    return Rows(name, with_earlier(frame, turns) if "dialogue" in frame else frame, chosen, notes)


def _with_series(
    table: "pd.DataFrame", name: str, roles: tuple[str, ...], columns: Mapping[str, str], familiar: Mapping[str, str]
) -> "pd.DataFrame":
    """The table with its steps in one column, where they stand in a column each."""
    order = list(table.columns)
    wanted = columns.get("series")
    if wanted is None:
        known = familiar.get("series")
        if known in order or _usual(table, "series", order, roles):
            return table
        ends = [column for one in (known or "").split(",") for column in one.split(":")]
        if spans.is_span(order, known) and set(ends) <= set(order):
            wanted = known
        else:
            others = {columns.get(role) or familiar.get(role) or _usual(table, role, order, roles) for role in roles}
            wanted = spans.guessed(table, name, [column for column in others if column])
    return spans.joined(table, name, wanted) if wanted and spans.is_span(order, wanted) else table


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
            if role not in chosen and (found := guess(table, role, left, roles)) is not None:
                chosen[role] = found
    listed = ", ".join(_short(column) for column in table.columns)
    if len(table.columns) < len(roles):
        raise InputError(f"{name}: its columns are {listed}; needed are one each for {' and '.join(roles)}")
    for role in roles:
        if role not in chosen:
            raise InputError(
                f"{name}: which column is the {role}? Choose with --column {role}=NAME from {listed}; "
                f"{_further(name, role)}"
            )
    roles = tuple(role for role in both if role in chosen)
    expected = {role: {role, familiar.get(role), columns.get(role)} for role in roles}
    guessed = [f"{role} is column {_short(chosen[role])}" for role in roles if chosen[role] not in expected[role]]
    said = f"{name}: {', '.join(guessed)} (guessed; choose with --column ROLE=NAME; {HEADER_HINT})"
    return {role: chosen[role] for role in roles}, [said] if guessed else []


def _further(name: str, role: str) -> str:
    """What to do where none of the columns is meant."""
    records = data_suffix(Path(name)) in (*FASTA, *FASTQ)
    return f"or write it into the headers of the records, as >s1 {role}=NAME" if records else HEADER_HINT


def column_of(frame: "pd.DataFrame", role: str) -> str:
    """What the source calls the column of a role."""
    return str(frame.attrs.get(SOURCE, {}).get(role, role))


def _usual(_: "pd.DataFrame", role: str, left: list[str], roles: tuple[str, ...]) -> str | None:
    by_name = {column.casefold(): column for column in reversed(left)}
    return next((by_name[name] for name in USUAL_NAMES.get(role, (role,)) if name in by_name), None)


def _remaining(table: "pd.DataFrame", role: str, left: list[str], roles: tuple[str, ...]) -> str | None:
    """The only column left; for text or symbols of several the longest values, unless the target is one too.

    Ids are none, nor is a label what is another in each of many rows.
    """
    left = [column for column in left if column.casefold() != "id"]
    if role == "label" and len(table) >= MANY:
        left = [column for column in left if len(set(map(str, table[column]))) < len(table)]
    if role in ("text", "symbols") and left and "target" not in roles:
        return max(left, key=lambda column: _mean_length(table[column]))
    return left[0] if len(left) == 1 else None


def _short(column: str) -> str:
    return repr(column if len(column) < 40 else column[:37] + "...")


def _mean_length(values: "Iterable[Any]") -> float:
    lengths = [len(value) for value in values if isinstance(value, str)]
    return sum(lengths) / len(lengths) if lengths else 0.0


def _pieces(value: Any, where: str) -> str | tuple[str, ...] | None:
    """A value as text, or as several; None where there is none."""
    import numpy as np

    if not isinstance(value, list | tuple | np.ndarray):
        return _text(value, where)
    parts = tuple(part if part in ("", " ") else _text(part, where) for part in value)
    if None in parts:
        raise DataError(f"{where}: item {parts.index(None) + 1} is missing")
    return parts or None  # type: ignore[return-value]


def _letters(value: Any, where: str) -> str | tuple[str, ...] | None:
    """As ``_pieces``; of a text without white space each letter is a piece, as each symbol of a sequence is."""
    found = _pieces(value, where)
    return tuple(found) if isinstance(found, str) and len(found.split()) == 1 else found


def label_of(value: Any, where: str) -> str | None:
    """A value as a label: text without white space around it; None where there is none. Raises DataError."""
    text = _text(value, where)
    return None if text is None else text.strip()


def _text(value: Any, where: str) -> str | None:
    """A value as text, None where there is none; 4.0 is 4, as a column with gaps turns whole numbers into floats."""
    if isinstance(value, str):
        if not value.isascii():  # JSON can escape half of a surrogate pair, which no file could be written with.
            value = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return value if value and not value.isspace() else None
    import numpy as np
    import pandas as pd

    if isinstance(value, bytes) or not pd.api.types.is_scalar(value):
        raise DataError(f"{where}: expected a text, got {type(value).__name__}")
    if pd.isna(value):
        return None
    return str(int(value)) if isinstance(value, float | np.floating) and value.is_integer() else str(value)
