"""Sensors' logs: tables with a step of a recording in each row, and beside it what was going on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from recurra.datasets.columns import label_of
from recurra.datasets.points import FEW, WHOLE, gaps, gathered, grouped, is_number, times_of, unread_note
from recurra.datasets.spans import LEAST_GUESSED, is_missing
from recurra.datasets.tables import frame_of
from recurra.errors import InputError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

# Roles of columns that logs have beside those of the task.
ROLES = ("id", "time")
TARGETS = ("label", "tags")
# What columns are mostly called, the most telling first; of ids all that are there.
LABELS, TIMES, IDS = (
    names.split()
    for names in (
        "label activity gesture class category target tag labels tags state",
        "timestamp ds time date datetime t seconds time_s time_ms timestamp_ms",
        "subject subject_id user user_id person participant session session_id recording recording_id trial file "
        "unique_id series_id id",
    )
)
# A table without times that has more columns of numbers is rather one of windows.
MOST_CHANNELS = 30
# The tag of steps that have none.
NO_TAG = "none"
# The role of what no two parts of the data may share.
RECORDING = "recording"


@dataclass(frozen=True)
class Log:
    """table: a row a stretch of one label, or a recording; its index is where that begins in the source, from 1.

    columns: role to the source's columns, with commas between several. notes: what was found, in sentences.
    """

    table: "pd.DataFrame"
    columns: dict[str, str]
    notes: list[str]


def recordings(
    table: "pd.DataFrame",
    name: str,
    roles: Sequence[str],
    columns: Mapping[str, str],
    familiar: Mapping[str, str],
    window: int = 0,
) -> Log | None:
    """Rows with the columns ``series`` [T, I], ``label`` or ``tags``, ``recording``, and ``id``, which also says which
    steps of a recording these are, from 0; None for any other table.

    table: a step in each row. columns: role to column, where chosen: ``series`` the channels and ``id`` what tells
    recordings apart (of both several, with commas between), ``time``, and ``label`` or ``tags``. familiar: the same,
    taken where the table has them. The rest is guessed. Steps stay in the order of the table; a recording ends where
    its id does, and where time goes back.

    roles: with ``label`` a row is a stretch of a recording in which that stays the same, else a recording, with
    ``tags`` of each step. window: stretches that are longer are cut into windows of so many steps, each half a window
    after the one before, and the last at the end; 0: they are not.

    Raises UnknownNameError for a chosen column that is not there, InputError where the label's cannot be guessed, and
    DataError, naming row and column, for what is no number or no time.
    """
    target = next((role for role in TARGETS if role in roles), "")
    if WHOLE not in roles or not {*roles} <= {WHOLE, target}:
        return None
    found = _columns(table, name, target, columns, familiar)
    if found is None:
        return None
    parts = {role: _parts(text) for role, text in found.items()}
    times, said_of_times = times_of(table, name, found["time"]) if "time" in found else (None, [])
    keys, missing = _keys(table, name, parts.get("id", []), times)
    points = gathered(table[parts[WHOLE]].assign(unique_id=keys), name, {WHOLE: found[WHOLE]})
    assert points is not None
    said: list[str | None] = [None] * len(table)
    if target:
        column = table[found[target]]
        said = [label_of(value, f"{name}, row {row}, column {column.name}") for row, value in column.items()]
    # Whoever or whatever was recorded goes into one part of the data, where there are enough of them.
    owners = list(table[parts["id"][0]].astype(str)) if "id" in found else keys
    apart = len(set(owners)) >= FEW
    rows: dict[str, list[Any]] = {role: [] for role in (*roles, RECORDING, "id")}
    begins, stretches = [], 0
    for series, at in zip(points.table[WHOLE], points.places, strict=True):
        for begin, end in _stretches([said[i] for i in at]) if target == "label" else [(0, len(at))]:
            stretches += 1
            for first, last in _windows(begin, end, window if target != "tags" else 0):
                rows[WHOLE].append(series[first:last])
                rows[RECORDING].append(owners[at[0]] if apart else f"{keys[at[0]]}, {begin}")
                whole = last - first == len(at)
                rows["id"].append(keys[at[0]] if whole else f"{keys[at[0]]}, steps {first}-{last - 1}")
                begins.append(int(at[first]))
                if target == "label":
                    rows[target].append(said[at[first]])
                elif target:
                    rows[target].append(tuple(said[i] or NO_TAG for i in at[first:last]))
    made = frame_of(rows).set_axis(table.index[begins])
    notes = [_summary(found, target, len(points.places), stretches, list(map(len, rows[WHOLE])), window)]
    sentences = {
        "gaps in time; steps are read one after another": missing,
        f"steps without a tag, which have the tag {NO_TAG}": said.count(None) if target == "tags" else 0,
    }
    notes += [f"{count:,} {sentence}" for sentence, count in sentences.items() if count]
    used = {column for each in parts.values() for column in each}
    told = [*(f"{name}: {note}" for note in notes), *said_of_times, *points.notes[1:]]
    if left := [str(column) for column in table.columns if column not in used]:
        told.append(unread_note(name, left))
    return Log(made, found, told)


def _columns(
    table: "pd.DataFrame", name: str, target: str, columns: Mapping[str, str], familiar: Mapping[str, str]
) -> dict[str, str] | None:
    """Role to columns; None where the table does not look like a log."""
    order = [str(column) for column in table.columns]
    by_name = {column.casefold(): column for column in reversed(order)}
    first = {column: next((v for v in table[column] if not is_missing(v)), None) for column in order}
    chosen = {role: text for role, text in familiar.items() if set(_parts(text)) <= set(order)} | dict(columns)
    given = [chosen[WHOLE]] if chosen.get(WHOLE) in order else _parts(chosen.get(WHOLE, ""))
    if given and not (set(given) <= set(order) and all(is_number(first[column]) for column in given)):
        return None
    found = {role: chosen[role] for role in (target, *ROLES) if role in chosen}
    for text in found.values():
        for column in _parts(text):
            if column not in order:
                raise UnknownNameError(f"column in {name}", column, order)
    free = [column for column in order if column not in given]
    if target and target not in found and (usual := [by_name[label] for label in LABELS if label in by_name]):
        found[target] = usual[0]
    if "time" not in found and (usual := [by_name[time] for time in TIMES if by_name.get(time) in free]):
        found["time"] = usual[0]
    if "id" not in found:
        ids = [by_name[id] for id in IDS if by_name.get(id) in free and by_name[id] not in found.values()]
        # What is another in every row counts the rows.
        counts = [column for column in ids if table[column].nunique() == len(table)]
        free = [column for column in free if column not in counts]
        if ids := [column for column in ids if column not in counts]:
            found["id"] = ",".join(ids)
    taken = {column for text in found.values() for column in _parts(text)}
    left = [column for column in free if column not in taken]
    channels = given or [column for column in left if is_number(first[column]) and first[column] is not None]
    whole = any(not given and _is_series(first[column]) for column in left)
    if whole or not channels or not (given or _in_steps(table, found, target, channels)):
        return None
    if target and target not in found:
        listed = ", ".join(map(repr, order))
        raise InputError(f"{name}: which column is the {target}? Choose with --column {target}=NAME from {listed}")
    return {WHOLE: ",".join(channels), **found}


def _in_steps(table: "pd.DataFrame", found: dict[str, str], target: str, channels: list[str]) -> bool:
    """Whether rows that nobody has called steps are steps: by their times, their ids, or a label that mostly stays."""
    if "time" in found:
        return True
    if "id" in found:
        return len(channels) <= MOST_CHANNELS
    if target not in found or len(channels) >= LEAST_GUESSED:
        return False
    said = table[found[target]]
    return 2 * int((said != said.shift()).sum()) <= len(said)


def _is_series(value: Any) -> bool:
    """Whether a cell holds several numbers."""
    if isinstance(value, str):
        pieces = value.strip("[] ").replace(",", " ").split()
        return len(pieces) > 1 and all(map(is_number, pieces))
    return not (value is None or isinstance(value, bytes) or is_number(value))


def _keys(table: "pd.DataFrame", name: str, ids: list[str], times: "NDArray[Any] | None") -> "tuple[list[str], int]":
    """The name of each row's recording, and how many gaps there are in time."""
    import numpy as np

    names = table[ids].astype(str).agg("/".join, axis=1).to_numpy() if ids else np.full(len(table), name)
    if times is None:
        return list(names), 0
    keys, missing = names.astype(object), 0
    for key, at in grouped(names):
        steps = np.diff(times[at]).astype(np.float64)
        again = np.concatenate([[0], steps < 0]).cumsum()
        missing += gaps(steps[steps >= 0])
        keys[at] = [f"{key} ({part + 1})" if part else key for part in again.tolist()]
    return list(keys), missing


def _stretches(said: list[str | None]) -> Iterator[tuple[int, int]]:
    """Where a label begins, and where the next one does."""
    edges = [i for i, (one, other) in enumerate(pairwise(said), 1) if one != other]
    return pairwise([0, *edges, len(said)])


def _windows(begin: int, end: int, window: int) -> list[tuple[int, int]]:
    if not window or end - begin <= window:
        return [(begin, end)]
    firsts = dict.fromkeys([*range(begin, end - window, max(1, window // 2)), end - window])
    return [(first, first + window) for first in firsts]


def _summary(found: dict[str, str], target: str, recorded: int, stretches: int, lengths: list[int], window: int) -> str:
    said = [f"channels {found[WHOLE].replace(',', ', ')}"]
    said += [f"{role} is {found[role].replace(',', ', ')}" for role in (*ROLES, target) if role in found]
    counts = f"{recorded:,} recording{'s' * (recorded != 1)}"
    if target == "label":
        counts += f" with {stretches:,} stretches of one label"
    if window and len(lengths) > stretches:
        counts += f", cut into {len(lengths):,} windows"
    return (
        f"a step in each row, {counts}, of {min(lengths):,} to {max(lengths):,} steps: {'; '.join(said)} "
        f"(--column series=A,B --column id=NAME and so on say otherwise)"
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
