"""Tables with a point of a series in each row, gathered to a row for each series."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recurra.datasets.tables import frame_of
from recurra.errors import DataError, UnknownNameError
from recurra.notes import Change

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

# What columns are mostly called, the most telling first.
USUAL = {
    "time": ["timestamp", "ds", "time", "date", "datetime"],
    "id": ["unique_id", "series_id", "item_id", "id"],
    "value": ["value", "y"],
    "marks": ["is_anomaly", "anomaly", "outlier", "label"],
}
# Columns of data that have a series in each row already.
WHOLE = "series"
# A step so much longer than the usual one is a gap.
GAP = 1.5
# Fewer series than this are not held out as wholes.
FEW = 10


@dataclass(frozen=True)
class Points:
    """table: a row a series. channels: the columns they are from, with commas between. notes: what was found.

    places: of each series, where its points lie in the source, [T]. unread: the columns that play no part.
    """

    table: "pd.DataFrame"
    channels: str
    notes: list[str]
    places: "list[NDArray[np.int64]]"
    unread: tuple[str, ...] = ()


def gathered(table: "pd.DataFrame", name: str, columns: Mapping[str, str]) -> Points | None:
    """One row a series, with the columns ``series`` [T, C], ``id``, ``time`` and ``windows`` where there are such.

    table: a point a row, the series one after the other or mixed, as Nixtla's ``unique_id, ds, y``. The channels are
    the column of the role ``series`` (several with commas between them), else ``value`` or ``y``, else all that hold
    nothing but numbers. Marks of 0 and 1 become windows. Within a series points are put in order of time; a missing
    number is filled with the one before it. None where the table has series in its rows. Raises DataError, naming row
    and column, for what is no number, infinite, or no time; UnknownNameError for a column that is not there.
    """
    import numpy as np

    chosen = _columns(table, name, columns)
    if chosen is None:
        return None
    channels, found = chosen
    values = np.stack([_numbers(table, name, column) for column in channels], axis=1)
    times, said = times_of(table, name, found["time"]) if "time" in found else (None, [])
    marks = _numbers(table, name, found["marks"]) if "marks" in found else None
    ids = table[found["id"]].astype(str).to_numpy() if "id" in found else np.full(len(table), name)
    counts = dict.fromkeys(("filled", "moved", "same", "gaps"), 0)
    rows: dict[str, list[Any]] = {key: [] for key in ("series", "id", "time", "windows")}
    places, twice = [], ""
    for key, at in grouped(ids):
        if times is not None:
            twice = twice or hour_twice(times[at])
            order = times[at].argsort(kind="stable")
            counts["moved"] += int((order != np.arange(len(at))).sum())
            at = at[order]
            steps = np.diff(times[at]).astype(np.float64)
            counts["same"] += int((steps == 0).sum())
            counts["gaps"] += gaps(steps)
            rows["time"].append(times[at])
        series, filled = _filled(values[at], f"{name}, series {key}", channels)
        counts["filled"] += filled
        rows["series"].append(series)
        rows["id"].append(key)
        rows["windows"].append(_windows(marks[at]) if marks is not None else "")
        places.append(at)
    kept = {key: value for key, value in rows.items() if value and (key != "windows" or marks is not None)}
    notes = _notes(name, counts, channels, found, len(places)) + said
    if twice:
        notes.append(
            f"{name}: the hour from {twice} is there twice, as clocks are set back that night, and its points are now "
            "mixed; give times in UTC, or with their offset (+02:00)"
        )
    used = {*channels, *found.values()}
    unread = tuple(str(column) for column in table.columns if column not in used)
    if unread:
        notes.append(unread_note(name, unread))
    return Points(frame_of(kept), ",".join(channels), notes, places, unread)


def unread_note(name: str, columns: Iterable[str]) -> str:
    return f"{name}: columns that are not read: {', '.join(columns)}"


def _columns(table: "pd.DataFrame", name: str, columns: Mapping[str, str]) -> tuple[list[str], dict[str, str]] | None:
    by_name = {str(column).casefold(): str(column) for column in reversed(table.columns)}
    found = {
        role: by_name[usual] for role in ("time", "id", "marks") for usual in reversed(USUAL[role]) if usual in by_name
    }
    if WHOLE in columns:
        wanted = columns[WHOLE] if columns[WHOLE] in table.columns else None
        channels = [wanted] if wanted else [part.strip() for part in columns[WHOLE].split(",")]
        for column in channels:
            if column not in table.columns:
                raise UnknownNameError(f"column in {name}", column, map(str, table.columns))
    elif WHOLE in by_name:
        return None
    else:
        named = [by_name[usual] for usual in USUAL["value"] if usual in by_name][:1]
        left = [str(column) for column in table.columns if column not in found.values()]
        channels = named or [column for column in left if all(map(is_number, table[column]))]
    if not channels or not all(is_number(value) for column in channels for value in table[column][:1]):
        return None
    return channels, {role: column for role, column in found.items() if column not in channels}


def grouped(ids: Any) -> "list[tuple[str, NDArray[np.int64]]]":
    """Each id, in the order of their first places, with all its places in order. ids: [N]."""
    import numpy as np
    import pandas as pd

    if not len(ids):
        return []
    codes, keys = pd.factorize(ids)
    places = codes.argsort(kind="stable")
    edges = np.searchsorted(codes[places], np.arange(1, len(keys)))
    return list(zip(map(str, keys), np.split(places, edges), strict=True))


def gaps(steps: "NDArray[Any]") -> int:
    """How many steps in time are so much longer than the usual one that something is missing. steps: [T - 1]."""
    import numpy as np

    return int((steps > GAP * np.median(steps)).sum()) if len(steps) else 0


def hour_twice(times: "NDArray[Any]") -> str:
    """The hour that local times without a zone go through a second time in autumn; nothing where they do not.

    times: [T] of one series, in the order of the file. Clocks are set back by an hour on the last Sunday of October, on
    the first of November, or, in the south, on the first of April; more than these once a year is something else.
    """
    import numpy as np

    if times.dtype.kind != "M" or len(times) < 3:
        return ""
    steps = np.diff(times).astype("timedelta64[s]").astype(np.int64)
    back = (steps <= 0).nonzero()[0]
    if not len(back) or (np.median(steps) - steps[back] != 3600).any():
        return ""
    days = [day.item() for day in times[back + 1].astype("datetime64[D]")]
    nights = [
        day.weekday() == 6 and (day.day >= 25 if day.month == 10 else day.month in (4, 11) and day.day <= 7)
        for day in days
    ]
    once = len({day.year for day in days}) == len(days)
    return str(times[back[0] + 1]).replace("T", " ") if once and all(nights) else ""


def is_number(value: Any) -> bool:
    """Whether this is a number, also one written as text, or a missing one."""
    try:
        float(value if value is not None and value != "" else "nan")
    except (TypeError, ValueError):
        return False
    return True


def _numbers(table: "pd.DataFrame", name: str, column: str) -> "NDArray[np.float64]":
    import numpy as np

    from recurra.arrays import number

    found = [number(value, f"{name}, row {row}, column {column}") for row, value in table[column].items()]
    return np.array([np.nan if value is None else value for value in found], np.float64)


def times_of(table: "pd.DataFrame", name: str, column: str) -> "tuple[NDArray[Any], list[str]]":
    """As moments, in UTC where they have zones, or as numbers, and notes. Raises DataError, naming row and column."""
    import numpy as np
    import pandas as pd

    from recurra.datasets.times import counted, moments  # numpy takes its time

    if not all(map(is_number, table[column])):
        read = moments(table[column], name)
        return read.utc, read.notes
    found = _numbers(table, name, column)
    if (bad := np.isnan(found)).any():
        row = table.index[int(bad.argmax())]
        raise DataError(f"{name}, row {row}, column {column}: expected a time, got {table[column][row]!r}")
    if (found % 1).any():
        return found, []
    read = counted(pd.Series(found.astype(np.int64), index=table.index, name=column), name)
    return read.utc, read.notes


def _filled(values: "NDArray[np.float64]", where: str, channels: list[str]) -> "tuple[NDArray[np.float64], int]":
    """Each missing number as the one before it, at the beginning as the first there is; and how many there were."""
    import numpy as np

    missing = np.isnan(values)
    if (empty := missing.all(axis=0)).any():
        raise DataError(f"{where}, column {channels[int(empty.argmax())]}: no number at all; leave the column out")
    at = np.where(missing, 0, np.arange(len(values))[:, None])
    at = np.maximum(np.maximum.accumulate(at, axis=0), (~missing).argmax(axis=0))
    return np.take_along_axis(values, at, axis=0), int(missing.sum())


def _windows(marks: "NDArray[np.float64]") -> str:
    """Runs of marked points, as ``3-5 8-9``."""
    import numpy as np

    edges = np.diff(np.concatenate([[0], marks > 0, [0]]).astype(int))
    return " ".join(f"{a}-{b - 1}" for a, b in zip((edges > 0).nonzero()[0], (edges < 0).nonzero()[0], strict=True))


def _notes(name: str, counts: dict[str, int], channels: list[str], found: dict[str, str], series: int) -> list[str]:
    said = [f"channels {', '.join(channels)}", *(f"{role} is {column}" for role, column in found.items())]
    notes: list[str] = [f"{name}: a point in each row, {series:,} series: {'; '.join(said)}"]
    if counts["filled"]:
        notes.append(Change(f"{name}: {counts['filled']:,} missing numbers filled with the one before"))
    sentences = {
        "moved": "points put in order of time",
        "same": "points with the time of the one before, all of them kept",
        "gaps": "gaps in time; steps are read one after another",
    }
    return notes + [f"{name}: {counts[key]:,} {sentence}" for key, sentence in sentences.items() if counts[key]]


def cut_in_time(table: "pd.DataFrame", shares: Mapping[str, float]) -> "dict[str, pd.DataFrame]":
    """Each series divided, training in front, then validation, the test last. Windows and tags go with their points."""
    import numpy as np

    parts: dict[str, pd.DataFrame] = {}
    edges = np.cumsum([1 - sum(shares.values()), *shares.values()])
    for part, begin, end in zip(("train", *shares), (0.0, *edges), edges, strict=False):
        rows: dict[str, list[Any]] = {column: [] for column in table.columns}
        for _, row in table.iterrows():
            length = len(row["series"])
            first, last = round(begin * length), round(end * length)
            for column in table.columns:
                value = row[column]
                if column == "windows":
                    pairs = [tuple(map(int, w.split("-"))) for w in value.split()]
                    inside = [(max(a, first), min(b, last - 1)) for a, b in pairs if a < last and b >= first]
                    rows[column].append(" ".join(f"{a - first}-{b - first}" for a, b in inside))
                else:
                    rows[column].append(value[first:last] if column in (WHOLE, "tags") else value)
        parts[part] = frame_of(rows)
    return parts
