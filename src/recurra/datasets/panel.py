"""Many series in one table, a row for each step of each: ``unique_id, ds, y`` and what else there is."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recurra.datasets.frequency import Frequency, found_in
from recurra.datasets.roles import Reader, roles_of, sort_rest
from recurra.datasets.tables import NOTES
from recurra.errors import DataError, InputError
from recurra.notes import Change
from recurra.timeline import Names, Numbers, Timeline

if TYPE_CHECKING:
    import pandas as pd

Places = NDArray[np.int64]
COVARIATES = ("past", "future", "static")
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
    part = np.repeat(np.arange(len(parts)), [len(tables[p]) for p in parts])
    table = pd.concat([tables[part] for part in parts]) if len(parts) > 1 else tables[parts[0]]
    if table.empty:
        raise InputError(f"{name}: there are no rows")
    rows = _Rows(table, name, columns, familiar or {}, frequency)
    rows.notes += dict.fromkeys(note for one in tables.values() for note in one.attrs.get(NOTES, ()))
    groups = rows.groups()
    grid = rows.grid(frequency, groups)
    found = _Lines(rows, part, grid, horizon)
    for group in groups:
        for column, id in enumerate(rows.ids(group, alone=len(groups) == 1)):
            found.add(id, group, rows.y[group, column])
    if not found.lines:
        raise DataError(f"{name}: no series has a single number in {', '.join(rows.chosen['y'])}")
    cuts = [{parts[k]: step for k, step in at.items() if k} for at in found.firsts]
    chosen = {role: ",".join(named) for role, named in rows.chosen.items() if named}
    return Panel(name, found.lines, found.known, cuts, chosen, grid, [*rows.notes, *found.notes()])


class _Rows:
    """A table's N rows, each column read as what it is for.

    chosen: role to its columns. names: of the series; codes: [N], which of them. times: [N], steps where the table has
    none; wall: the same as the clock on the wall has them. y: [N, Y]. past: [N, P]. future: [N, K]. static: of
    S columns the value of each series.
    """

    def __init__(
        self,
        table: "pd.DataFrame",
        name: str,
        columns: Mapping[str, str],
        familiar: Mapping[str, str],
        frequency: str,
    ):
        self.name = name
        reader = Reader(table, name)
        self.chosen, self.notes = roles_of(reader, columns, familiar)
        ids = reader.ids(self.chosen["unique_id"], len(table))
        # Columns that were trained on tell what is used: all of it.
        if not any(self.chosen[role] for role in COVARIATES) and "y" not in familiar:
            self.notes += sort_rest(reader, ids, self.chosen)
        elif unused := set(table.columns) - {column for named in self.chosen.values() for column in named}:
            listed = ", ".join(column for column in table.columns if column in unused)
            self.notes.append(f"{name}: columns that are not used: {listed}")
        self.y, self.past, self.future = (reader.matrix(self.chosen[role]) for role in ("y", "past", "future"))
        self.names, self.codes = np.unique(ids, return_inverse=True)
        self.static = [reader.fixed(column, self.names, self.codes) for column in self.chosen["static"]]
        if self.chosen["ds"]:
            read = reader.times(self.chosen["ds"][0], frequency)
            self.times, self.wall = read.utc, read.wall
            self.notes += read.notes
        else:
            self.notes.append(f"{name}: no column of times, so the rows are taken for steps one after the other")
            self.times = self.wall = np.arange(len(table))
        self.utc = False  # whether ``times`` are

    def groups(self) -> list[Places]:
        """Of each series its rows in the order of time, each once."""
        order = np.lexsort((self.times, self.codes))
        if self.chosen["ds"] and (order != np.argsort(self.codes, kind="stable")).any():
            self.notes.append(f"{self.name}: the rows were not in the order of time, and are sorted")
        known = self._known(order)
        if len(known) < len(order):
            count = f"{len(order) - len(known):,} rows without {', '.join(self.chosen['y'])}"
            self.notes.append(Change(f"{self.name}: {count} left out, as another row of their time has one"))
        found = self._once(known)
        if len(found) < len(known):
            repeated = f"{self.name}: {len(known) - len(found):,} rows that repeat another one are left out"
            self.notes.append(Change(repeated))
        return np.split(found, np.flatnonzero(np.diff(self.codes[found])) + 1)

    def _known(self, order: Places) -> Places:
        """The rows in this order but those without y where another row of that series and time has one."""
        empty = np.isnan(self.y[order]).all(1)
        moment = np.cumsum(~self._same(order))
        there = np.zeros(len(order) + 1, bool)
        there[moment[~empty]] = True
        return np.asarray(order[~(empty & there[moment])])

    def _same(self, order: Places) -> NDArray[np.bool_]:
        """[order], whether a row has the series and the time of the one before."""
        before, after = order[:-1], order[1:]
        same = (self.codes[before] == self.codes[after]) & (self.times[before] == self.times[after])
        return np.concatenate([[False], same])

    def _once(self, order: Places) -> Places:
        """The rows in this order without repetitions. Raises DataError where two for one time disagree."""
        before, after = order[:-1], order[1:]
        values = np.concatenate([self.y, self.past, self.future], 1)
        same = self._same(order)[1:]
        equal = ((values[before] == values[after]) | (np.isnan(values[before]) & np.isnan(values[after]))).all(1)
        if (same & ~equal).any():
            row = after[int(np.flatnonzero(same & ~equal)[0])]
            raise DataError(
                f"{self.name}, series {self.names[self.codes[row]]}, {self.times[row]}: two rows for one time with "
                "different values; keep one of them, name the columns that tell their series apart as unique_id, or, "
                "where clocks were set back, give the times with their zone"
            )
        return np.asarray(order[np.concatenate([[True], ~same])])

    def grid(self, frequency: str, groups: list[Places]) -> Frequency:
        """As said, or as found in the times; where these are days or longer, ``times`` are the wall's from now on."""
        if frequency:
            grid = Frequency.parse(frequency)
        elif not self.chosen["ds"]:
            grid = Frequency(1, "step")
        elif len(groups) == len(self.times) > 1:
            raise InputError(
                f"{self.name}: each row has another {' and '.join(self.chosen['unique_id'])}, so no series has two "
                "steps; name what tells series apart with --column unique_id=NAME"
            )
        else:
            grid = found_in({str(self.names[self.codes[g[0]]]): self.times[g] for g in groups}, self.name)
        if self.wall is not self.times and grid.unit in ("D", "B", "W", "M", "Q", "Y"):
            self.times = self.wall
        elif self.wall is not self.times:
            self.utc = True
            self.notes.append(f"{self.name}: times with a time zone are read as UTC")
        grid.check([self.times[group] for group in groups], self.name)
        return grid

    def ids(self, group: Places, alone: bool) -> list[str]:
        """Of the group's series their names, one for each column of y. alone: there is no other group."""
        id, targets = str(self.names[self.codes[group[0]]]), self.chosen["y"]
        if len(targets) == 1:
            return [id]
        return targets if alone else [f"{id}/{target}" for target in targets]


class _Lines:
    """The series one after the other, put on their grids, with a count of what was filled or left out."""

    def __init__(self, rows: _Rows, part: Places, grid: Frequency, horizon: int):
        self.rows, self.part, self.grid, self.horizon = rows, part, grid, horizon
        past, future, static = (tuple(rows.chosen[role]) for role in COVARIATES)
        self.names: Names = (past, future, static)
        self.lines: list[Timeline] = []
        self.known: list[int] = []
        self.firsts: list[dict[int, int]] = []
        self.empty: list[str] = []
        self.constant = self.gaps = self.gapped = self.missing = self.early = 0
        self.filled = np.zeros(len(past) + len(future), np.int64)

    def add(self, id: str, group: Places, y: Numbers) -> None:
        """group: its rows. y: of each of them."""
        there = np.flatnonzero(~np.isnan(y))
        if not len(there):
            self.empty.append(id)
            return
        first, last = int(there[0]), int(there[-1] - there[0])
        self.early += first
        y, group = y[first:], group[first:]
        rows = self.rows
        times, past, future, part = (values[group] for values in (rows.times, rows.past, rows.future, self.part))
        places = self.grid.places(times, f"{rows.name}, series {id}")
        if (np.diff(places) < 1).any():
            at = times[int(np.flatnonzero(np.diff(places) < 1)[0]) + 1]
            raise DataError(f"{rows.name}, series {id}, {at}: a second row for one {self.grid.words}; keep one of them")
        known = int(places[last]) + 1
        total = max(known + self.horizon, int(places[-1]) + 1)
        full = self.grid.times(times[0], total, times)
        self.gaps += known - last - 1
        self.gapped += known > last + 1
        self.missing += int(np.isnan(y[: last + 1]).sum())
        self.filled += np.isnan(np.concatenate([past, future], 1)[: last + 1]).sum(0)
        self.constant += len(there) > 1 and bool((y[there - first] == y[0]).all())
        columns = [np.full((total, values.shape[1]), np.nan) for values in (y[:, None], past, future)]
        for column, values in zip(columns, (y[:, None], past, future), strict=True):
            column[places] = values
        static = tuple(column[rows.codes[group[0]]] for column in rows.static)
        self.lines.append(Timeline(id, full, columns[0][:, 0], columns[1], columns[2], static, self.names, rows.utc))
        self.known.append(known)
        seen = part[: last + 1]
        self.firsts.append({int(k): int(places[int(np.argmax(seen == k))]) for k in np.unique(seen)})

    def notes(self) -> list[str]:
        found = []
        if self.gaps:
            found.append(f"{self.gaps:,} steps in {self.gapped:,} series have no row; they are read as missing")
        if self.missing:
            found.append(f"{self.missing:,} rows have no y; they are read as missing, neither filled nor counted")
        if self.early:
            found.append(f"{self.early:,} rows before a series' first y left out")
        if self.filled.any():
            covariates = zip(self.names[0] + self.names[1], self.filled, strict=True)
            listed = ", ".join(name for name, count in covariates if count)
            found.append(f"{self.filled.sum():,} missing values of {listed} are read as the mean")
        if self.empty:
            listed = ", ".join(self.empty[:3]) + (", ..." if len(self.empty) > 3 else "")
            found.append(f"{len(self.empty):,} series without any y left out: {listed}")
        notes: list[str] = [Change(f"{self.rows.name}: {note}") for note in found]
        if self.constant:
            notes.append(f"{self.rows.name}: {self.constant:,} series are constant")
        return notes
