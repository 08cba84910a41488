"""A column of times as moments: with a zone or without, dates in one order of day and month, numbers that are dates."""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.frequency import is_even
from recurra.datasets.tables import HEADER_HINT, place
from recurra.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

# Orders of a date's three parts, the year in four digits; with two of them it may also come first.
ORDERS = {"day first": "%d/%m/%Y", "month first": "%m/%d/%Y"}
SHORT_ORDERS = {**{order: form.lower() for order, form in ORDERS.items()}, "year first": "%y/%m/%d"}
DATE = re.compile(r"\s*(\d\d?)([./-])(\d\d?)\2(\d{4}|\d\d)((?:[ T,].*)?)")
# What else looks like a date, of all that pandas would take for one: 2024-01, 31-Jan-2024, Jan 2024.
MOMENT = re.compile(
    r"(?i)\s*(\d{4}[-/.]?\d\d?|\d\d?\W(\d\d?|[a-z]{3,9})\W\d{2,4}|[a-z]{3,9}\W+(\d\d?\W+)?\d{4})(\D.*)?"
)
OFFSET = r"(?:Z|[+-]\d\d(?::?\d\d)?)$"
# A time of day and its offset, whose minutes may be left out where the time has colons: 1949-01 is a month.
ZONED = re.compile(
    r"(?:\d\d:?\d\d(?::?\d\d)?(?:[.,]\d+)?\s*(?:Z|[+-]\d\d:?\d\d)|\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?\s*[+-]\d\d)$"
)
# Whole numbers that are dates, and those that count from 1970: in a second so many.
DIGITS = (19_000_101, 21_001_231)
SINCE_1970 = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EARLIEST, LATEST = np.array(["1970-02-01", "2100-01-01"], "datetime64[s]").astype(np.int64).tolist()
MINUTE = 60
# So many values are enough to tell what a column holds.
ENOUGH = 1_000


@dataclass(frozen=True)
class Times:
    """utc: [rows] datetime64[s], or int64 where steps are counted. wall: as the clock on the wall has them; the same
    array where there is no time zone. notes: how they were read, where that could be another way.
    """

    utc: NDArray[Any]
    wall: NDArray[Any]
    notes: list[str]


def moments(given: "pd.Series[Any]", name: str, frequency: str = "") -> Times:
    """Texts, dates and moments. given: a column of the table ``name``, its index the rows. frequency: as
    ``Frequency.parse`` reads it, where known; else found.

    All dates such as 31/01/2024 of a column are read in the same order. Between dots the day comes first; else it is
    the order that fits them all, of several the one with the fewest years, and after which each step follows the one
    before. Raises DataError, naming row and column, for what is no time, and where nothing tells the order.

    >>> import pandas as pd
    >>> moments(pd.Series(["31/01/2024", "01/02/2024"], name="ds"), "f.csv").utc.astype(str).tolist()
    ['2024-01-31T00:00:00', '2024-02-01T00:00:00']
    """
    import pandas as pd

    codes, values = np.arange(len(given)), given.reset_index(drop=True)
    if all(isinstance(value, str) for value in given):  # the same few times of many series
        codes, found = pd.factorize(given.to_numpy())
        values = pd.Series(found, dtype=object)
    at = np.unique(codes, return_index=True)[1]
    rows = given.index.to_numpy()[at]
    values, notes = _ordered(values, rows, name, str(given.name), frequency)
    utc, wall = _parsed(values)
    if utc.isna().any():
        bad = int(np.flatnonzero(utc.isna())[0])
        raise DataError(
            f"{place(name, rows[bad])}, column {given.name}: expected a time such as 2024-01-31 or 2024-01-31 23:00, "
            f"got {given.iloc[at[bad]]!r}; {HEADER_HINT}"
        )
    found = utc.to_numpy().astype("datetime64[s]")[codes]
    return Times(found, found if wall is utc else wall.to_numpy().astype("datetime64[s]")[codes], notes)


def counted(numbers: "pd.Series[Any]", name: str) -> Times:
    """Whole numbers as moments where they are dates, or count from 1970, else as they are. As ``moments``.

    Dates are eight digits each; what counts from 1970 is whole minutes apart and lies after January 1970. Raises
    DataError, naming row and column, for one that is no date where most are.

    >>> import pandas as pd
    >>> counted(pd.Series([20240131, 20240201], name="ds"), "f.csv").utc.astype("datetime64[D]").astype(str).tolist()
    ['2024-01-31', '2024-02-01']
    >>> counted(pd.Series([1990, 1991], name="year"), "f.csv").utc.tolist()
    [1990, 1991]
    """
    import pandas as pd

    column = numbers.name
    unique, codes = np.unique(numbers.to_numpy(np.int64), return_inverse=True)
    found: NDArray[Any] = unique
    said = ""
    if len(unique) and unique[0] >= DIGITS[0] and unique[-1] <= DIGITS[1]:
        dates = pd.to_datetime(pd.Series(unique).astype(str), format="%Y%m%d", errors="coerce").to_numpy(
            "datetime64[s]"
        )
        if 2 * np.isnat(dates).sum() < len(dates):  # of numbers that just count most are none
            found, said = dates, "dates of eight digits"
    for unit, count in SINCE_1970.items():
        within = len(unique) and unique[0] >= EARLIEST * count and unique[-1] <= LATEST * count
        if not said and within and not (np.diff(unique) % (MINUTE * count)).any():
            found, said = (unique // count).astype("datetime64[s]"), f"{unit} since 1970"
    times = found[codes]
    if said and (bad := np.isnat(times)).any():
        row = int(bad.argmax())
        raise DataError(
            f"{place(name, numbers.index[row])}, column {column}: expected a date of eight digits, as the others are, "
            f"got {numbers.iloc[row]}"
        )
    return Times(times, times, [f"{name}: the numbers in column {column} are read as {said}"] if said else [])


def look_like_times(values: Sequence[Any]) -> bool:
    """Whether most of a column's values are dates or moments, also as text; numbers are not, and missing ones.

    >>> look_like_times(["31.01.2024", "01.02.2024"]), look_like_times(["item-1", "may"]), look_like_times([20240131])
    (True, False, False)
    """
    import pandas as pd

    sample = list(values[:ENOUGH])
    count = sum(isinstance(value, datetime.date) for value in sample)
    texts = [value for value in sample if isinstance(value, str)]
    slashed = [m for text in texts if (m := DATE.fullmatch(text))]
    count += sum(1 <= min(int(m[1]), int(m[3])) <= 12 and max(int(m[1]), int(m[3])) <= 31 for m in slashed)
    others = pd.Series([text for text in texts if not DATE.fullmatch(text) and MOMENT.fullmatch(text)], dtype=object)
    count += int(pd.to_datetime(others, errors="coerce", format="mixed", utc=True).notna().sum())
    return 2 * count > len(sample)


def _ordered(
    values: "pd.Series[Any]", rows: NDArray[Any], name: str, column: str, frequency: str
) -> "tuple[pd.Series[Any], list[str]]":
    """The values with the year first in every date, and a note on the order that they were in."""
    import pandas as pd

    found = {i: m for i, v in enumerate(values) if isinstance(v, str) and (m := DATE.fullmatch(v))}
    if not found:
        return values, []
    places, matches = list(found), list(found.values())
    orders = SHORT_ORDERS if any(len(m[4]) == 2 for m in matches) else ORDERS
    if any(m[2] == "." for m in matches):
        orders = {order: form for order, form in orders.items() if order == "day first"}
    dates = pd.Series([f"{m[1]}/{m[3]}/{m[4]}" for m in matches])
    read = {order: pd.to_datetime(dates, format=form, errors="coerce") for order, form in orders.items()}
    years = {order: days.dt.year.nunique() for order, days in read.items() if days.notna().all()}
    fitting = [order for order, count in years.items() if count == min(years.values())]

    def written(order: str) -> "pd.Series[Any]":
        rest = pd.Series([m[5] for m in matches])
        changed = values.copy()
        changed.iloc[places] = (read[order].dt.strftime("%Y-%m-%d") + rest).to_numpy()
        return changed

    if not fitting:
        raise _unlike(read, values.iloc[places].tolist(), rows[places], name, column)
    differ = [order for order in fitting[1:] if (read[order] != read[fitting[0]]).any()]
    if differ:
        ways = {order: _parsed(written(order))[0].to_numpy().astype("datetime64[s]") for order in fitting}
        even = [order for order, times in ways.items() if is_even(np.unique(times), frequency)]
        if len(even) != 1:
            i = int(np.flatnonzero(read[differ[0]] != read[fitting[0]])[0])
            both = " or ".join(f"{read[order][i]:%Y-%m-%d}" for order in (fitting[0], differ[0]))
            raise DataError(
                f"{place(name, rows[places[i]])}, column {column}: {values.iloc[places[i]]!r} may be {both}, and no "
                "other row tells which; write dates with the year first, as in 2024-01-31"
            )
        fitting = even
    order = fitting[0]
    shown = next((i for i, m in enumerate(matches) if int(m[1]) != int(m[3])), 0)
    said = (
        f"{values.iloc[places[shown]]!r} in column {column} is {read[order][shown]:%Y-%m-%d}: {order} in all its dates"
    )
    return written(order), [f"{name}: {said}"]


def _unlike(
    read: "dict[str, pd.Series[Any]]", values: list[str], rows: NDArray[Any], name: str, column: str
) -> DataError:
    """The error for dates that no order fits."""
    order = max(read, key=lambda order: int(read[order].notna().sum()))
    bad = int(np.flatnonzero(read[order].isna())[0])
    other = next((one for one, days in read.items() if days.notna()[bad]), None)
    where = f"{place(name, rows[bad])}, column {column}"
    if other is None:
        return DataError(f"{where}: expected a date, got {values[bad]!r}, which is none")
    unlike = int(np.flatnonzero(read[other].isna())[0])
    return DataError(
        f"{where}: {values[bad]!r} has the {other}, but {values[unlike]!r} in row {rows[unlike]} the {order}; write "
        "dates with the year first, as in 2024-01-31"
    )


def _parsed(values: "pd.Series[Any]") -> "tuple[pd.Series[Any], pd.Series[Any]]":
    """In UTC without saying so, and on the wall; the same where there is no zone. NaT for what is no time."""
    if not len(values) or not _zoned(values.iloc[0]):
        found = _read(values, utc=False)
        return found, found
    wall = values.map(lambda v: re.sub(OFFSET, "", v) if isinstance(v, str) else v.replace(tzinfo=None))
    return _read(values, utc=True).dt.tz_localize(None), _read(wall, utc=False)


def _read(values: "pd.Series[Any]", utc: bool) -> "pd.Series[Any]":
    import pandas as pd

    try:
        return pd.to_datetime(values.infer_objects(), utc=utc, format="ISO8601")
    except (ValueError, TypeError):
        return pd.to_datetime(values, errors="coerce", utc=utc, format="mixed")


def _zoned(value: Any) -> bool:
    if isinstance(value, str):
        return bool(ZONED.search(value))
    return isinstance(value, datetime.datetime) and value.tzinfo is not None
