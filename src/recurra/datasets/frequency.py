"""How far apart the steps of a series are, found in its times or said by the user."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError, InputError

DAY = 86_400
UNITS = {"s": 1, "min": 60, "h": 3_600, "D": DAY, "W": 7 * DAY}
MONTHS = {"M": 1, "Q": 3, "Y": 12}
# Days between steps that are so many months apart.
SPANS = {"M": (28, 31), "Q": (89, 92), "Y": (365, 366)}
NAMES = {"s": "second", "min": "minute", "h": "hour", "D": "day", "B": "working day", "W": "week", "M": "month"}
NAMES |= {"Q": "quarter", "Y": "year", "step": "step"}
SEASONS = {"D": 7, "B": 5, "W": 52, "M": 12, "Q": 4, "Y": 1, "rows": 1, "step": 1}
# As pandas (old and new) and polars write them; where a month, quarter or week begins or ends, the data say.
ALIASES = {"S": "s", "T": "min", "m": "min", "H": "h", "d": "D", "w": "W", "mo": "M", "MS": "M", "ME": "M"}
ALIASES |= {"q": "Q", "QS": "Q", "QE": "Q", "y": "Y", "YS": "Y", "YE": "Y", "A": "Y", "AS": "Y", "": "step"}
# Fewer gaps may all be wider than a step by chance.
ENOUGH_GAPS = 3
FORM = re.compile(r"(\d*)([A-Za-z]*)(?:(?<=[WQYASE])-[A-Z]{3})?")


@dataclass(frozen=True)
class Frequency:
    """count: so many of ``unit`` lie between two steps. unit: s, min, h, D, B (Monday to Friday), W, M, Q, Y; ``step``
    where time is a whole number; ``rows`` where each row is a step after the row before, whatever lies between.

    >>> Frequency.parse("15min").season, str(Frequency.parse("h")), Frequency.parse("2D").words
    (96, 'h', '2 days')
    >>> [str(Frequency.parse(text)) for text in ("MS", "W-SUN", "30T", "1d", "1mo", "7")]
    ['M', 'W', '30min', 'D', 'M', '7step']
    """

    count: int
    unit: str

    @classmethod
    def parse(cls, text: str) -> "Frequency":
        """Raises InputError for what is none."""
        if text == "rows":
            return cls(1, "rows")
        found = FORM.fullmatch(text)
        count, unit = (int(found[1] or 1), ALIASES.get(found[2], found[2])) if found and text else (0, "")
        if not count or unit not in NAMES or (unit == "B" and count > 1):
            raise InputError(
                f"modality.frequency: expected rows, or a number and one of {', '.join(UNITS)}, B, "
                f"{', '.join(MONTHS)} or step, such as 15min, got {text!r}"
            )
        return cls(count, unit)

    def __str__(self) -> str:
        return f"{self.count if self.count > 1 else ''}{self.unit}"

    @property
    def words(self) -> str:
        if self.unit == "rows":
            return "row"
        return f"{self.count} {NAMES[self.unit]}s" if self.count > 1 else NAMES[self.unit]

    @property
    def season(self) -> int:
        """Steps after which people's doings repeat: a day of hours, a week of days, a year of months; 1: none."""
        if self.unit in SEASONS:
            return max(1, SEASONS[self.unit] // self.count)
        seconds = self.count * UNITS[self.unit]
        return max(1, (DAY if seconds >= 60 else 3_600) // seconds)

    @property
    def seconds(self) -> int:
        """Between two steps; 0 where that varies or means nothing."""
        return self.count * UNITS.get(self.unit, 0)

    def places(self, times: NDArray[Any], where: str) -> NDArray[np.int64]:
        """times: [n], ascending. Each one's step, from 0 at the first. Raises DataError for one between two steps."""
        steps, rest = self._divided(times)
        if rest.any():
            at = times[int(np.flatnonzero(rest)[0])]
            raise DataError(
                f"{where}, {at}: lies between two steps of one {self.words}, counted from {times[0]}; correct it, or "
                "set modality.frequency, to rows for steps that are not even"
            )
        return steps

    def _divided(self, times: NDArray[Any]) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Each one's step, from 0 at the first, and what is left of it between two steps."""
        if self.unit == "rows":
            return np.arange(len(times)), np.zeros(len(times))
        if self.unit == "B":
            days = times.astype("datetime64[D]")
            return np.busday_count(days[0], days), ~np.is_busday(days)
        if self.unit in MONTHS:
            numbers, apart = times.astype("datetime64[M]").astype(np.int64), self.count * MONTHS[self.unit]
        else:
            numbers, apart = times.astype(np.int64), self.seconds or self.count
        steps, rest = np.divmod(numbers - numbers[0], apart)
        return np.asarray(steps, np.int64), rest

    def is_even(self, times: NDArray[Any]) -> bool:
        """Whether each time is one step after the one before. times: as for ``places``, two of them at least."""
        steps, rest = self._divided(times)
        return not rest.any() and bool((np.diff(steps) == 1).all())

    def check(self, series: Iterable[NDArray[Any]], name: str) -> None:
        """Raises InputError where times are not of this kind, or never so near each other. series: as ``places``."""
        series, counts = list(series), self.unit == "step"
        if self.unit == "rows":
            return
        if counts == (series[0].dtype.kind == "M"):
            found, wanted = ("dates", "D") if counts else ("whole numbers", "1")
            raise InputError(
                f"{name}: times are {found}, but modality.frequency is one {self.words}; expected one such as {wanted}"
            )
        gaps = np.concatenate([np.diff(self._divided(times)[0]) for times in series])
        if len(gaps) >= ENOUGH_GAPS and (apart := int(np.gcd.reduce(gaps))) > 1:
            raise InputError(
                f"{name}: rows lie {apart} steps of one {self.words} apart, or a multiple of that; bring them "
                "to that frequency, or train with theirs"
            )

    def times(self, first: Any, count: int, known: NDArray[Any]) -> NDArray[Any]:
        """The grid's first ``count`` times. known: times that are there, whose day of the month is followed."""
        steps = np.arange(count)
        if self.unit == "rows":
            gaps = np.diff(known)
            usual = np.int64(np.median(gaps.astype(np.int64)) if len(gaps) else 1).astype(gaps.dtype)
            more = known[-1] + (np.arange(max(0, count - len(known))) + 1) * usual
            return np.asarray(np.concatenate([known, more])[:count])
        if self.unit in MONTHS:
            months = first.astype("datetime64[M]") + steps * self.count * MONTHS[self.unit]
            offset = known - known.astype("datetime64[M]").astype(known.dtype)
            # The last day of each month, or the same day of each.
            after = (months + 1).astype(known.dtype) - np.timedelta64(DAY, "s")
            ends = (known.astype("datetime64[D]") + 1).astype("datetime64[M]") > known.astype("datetime64[M]")
            return np.asarray(
                np.minimum(after, months.astype(known.dtype) + (offset.max() if ends.all() else offset[0]))
            )
        if self.unit == "B":
            days = np.busday_offset(first.astype("datetime64[D]"), steps, roll="forward")
            return np.asarray(days.astype(known.dtype) + (first - first.astype("datetime64[D]").astype(known.dtype)))
        return np.asarray(first + steps * (np.timedelta64(self.seconds, "s") if self.seconds else self.count))


def is_even(times: NDArray[Any], frequency: str) -> bool:
    """Whether times follow each other step by step. times: ascending, without repetition. frequency: empty: found."""
    if len(times) < 2:
        return False
    grid = Frequency.parse(frequency) if frequency else _usual(times)
    return (_usual(times) if grid.unit in ("rows", "step") else grid).is_even(times)


def found_in(series: Mapping[str, NDArray[Any]], name: str) -> Frequency:
    """The frequency that all series share. series: by id, ascending times without repetition; ``name`` of the data.

    Raises InputError where none has two steps, or where they have different ones.
    """
    by: dict[Frequency, str] = {}
    for id, times in series.items():
        if len(times) > 1:
            by.setdefault(_usual(times), id)
    if not by:
        raise InputError(f"{name}: no series has two steps; say how far they are apart: modality.frequency=D")
    if Frequency(1, "B") in by and Frequency(1, "D") in by:
        del by[Frequency(1, "B")]
    if len(by) > 1:
        (one, a), (other, b) = list(by.items())[:2]
        raise InputError(
            f"{name}: series of different frequencies: {a} has a step each {one.words}, {b} each {other.words}; train "
            "one model for each, or bring them to one frequency"
        )
    return next(iter(by))


def _usual(times: NDArray[Any]) -> Frequency:
    """The commonest difference between neighbours."""
    gaps = np.diff(times).astype(np.int64)
    if times.dtype.kind != "M":
        return Frequency(int(Counter(gaps.tolist()).most_common(1)[0][0]), "step")
    days = gaps // DAY
    for unit, (least, most) in SPANS.items():
        if ((days >= least) & (days <= most)).mean() > 0.5 and not (len(days) > 2 and (gaps == gaps[0]).all()):
            return Frequency(1, unit)
    usual = int(Counter(gaps.tolist()).most_common(1)[0][0])
    if usual == DAY and len(times) > 5 and np.is_busday(times.astype("datetime64[D]")).all():
        return Frequency(1, "B")
    unit = next(u for u in reversed(UNITS) if usual % UNITS[u] == 0)
    return Frequency(usual // UNITS[unit], unit)
