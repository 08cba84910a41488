"""From a file, a folder, a frame or a data set's name to training, validation and test rows."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.config import setting
from recurra.datasets.base import Dataset
from recurra.datasets.columns import ABOUT, Rows, rows_of
from recurra.datasets.logs import RECORDING, recordings
from recurra.datasets.points import FEW, WHOLE, cut_in_time, gathered
from recurra.datasets.sets import DATASETS
from recurra.datasets.split import describe, split_rows, split_text
from recurra.datasets.tables import NOTES, Plain, frame_of, is_readable, read_table
from recurra.errors import InputError, MissingFileError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class DataConfig:
    """Where the rows come from, and how they are divided."""

    source: str = setting("", "a file, a folder or a data set's name; empty: the task's own data set")
    columns: dict[str, str] = field(
        default_factory=dict, metadata={"help": "the column of each role; guessed where not given"}
    )
    valid: str = setting("", "a file of validation rows; empty: cut from the training rows")
    test: str = setting("", "a file of test rows; empty: cut from the training rows")
    valid_fraction: float = setting(0.1, "share of the training rows that is cut off for validation")
    test_fraction: float = setting(0.1, "share of the training rows that is cut off for the test; 0: no test")
    split_seed: int = setting(0, "draws the rows that are cut off")
    encoding: str = setting("utf-8", "encoding of text files")
    header: bool = setting(True, "CSV and TSV: the first row names the columns; else they are called 1, 2, 3")
    window: int = setting(
        0,
        "logs of sensors: stretches of one label that are longer are cut into windows of so many steps, each half a "
        "window after the one before; 0: they are not",
    )
    turns: int = setting(2, "conversations: each prompt is read after so many turns before it, with their replies")

    def __post_init__(self) -> None:
        for name in ("turns", "window"):
            if getattr(self, name) < 0:
                raise InputError(f"data.{name}: expected 0 or more, got {getattr(self, name)}")
        if not 0 < self.valid_fraction < 1:
            raise InputError(f"data.valid_fraction: expected a share between 0 and 1, got {self.valid_fraction}")
        if not 0 <= self.test_fraction < 1 - self.valid_fraction:
            raise InputError(
                f"data.test_fraction: expected 0, or a share that leaves something to train on beside "
                f"data.valid_fraction = {self.valid_fraction}, got {self.test_fraction}"
            )


@dataclass(frozen=True)
class Splits:
    """Rows to train on, to choose the best weights by, and to test with; columns are the roles.

    valid: None where these are trained on as well (``without_valid``). test: None if ``data.test_fraction`` is 0 and no
    test rows were given. defaults: settings that suit a data set known by name. notes: what a person should know, in
    sentences. cut: the parts that were cut off from the training rows.
    """

    name: str
    train: "pd.DataFrame"
    valid: "pd.DataFrame | None"
    test: "pd.DataFrame | None"
    columns: dict[str, str]
    notes: list[str]
    defaults: Mapping[str, object]
    cut: tuple[str, ...] = ()

    def without_valid(self) -> "Splits":
        """The same, with rows that were cut off for validation among those to train on; no others are, and not where
        there would be none left to measure with.
        """
        if self.valid is None or self.test is None or "valid" not in self.cut:
            return self
        import pandas as pd

        train = pd.concat([self.train, self.valid]).sort_index()
        note = f"{self.name}: the {len(self.valid):,} rows for valid are trained on as well (training.weights=last)"
        return replace(self, train=train, valid=None, notes=[*self.notes, note])


def load(
    config: DataConfig,
    roles: tuple[str, ...],
    running: bool = False,
    default_dataset: str = "",
    frame: Any = None,
    familiar: Mapping[str, str] | None = None,
    optional: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
    pointwise: bool = False,
) -> Splits:
    """Reads the rows and divides what is not divided already.

    roles: the columns wanted, the input first; with ``tags``, plain text files are CoNLL columns. running: a language
    model's data: a plain text file is one row, and one row is divided at the end of a line. frame: a pandas or polars
    frame instead of ``config.source``.
    familiar: role to a column that is taken where the data have it; that of ``config.columns`` they must have. Files
    for validation and test may call their columns otherwise than the training rows do; a note says what was guessed.
    optional, gaps: as for ``rows_of``. pointwise: tables may have a point of a series in each row (``points``); fewer
    than FEW series, and fewer recordings with a tag for each step, are divided in time. Raises MissingFileError,
    DataError or InputError.
    """
    source = frame if frame is not None else config.source or default_dataset
    plain = _plain(roles, running)
    name, tables, dataset = tables_of(source, config.encoding, config.header, plain)
    familiar = {**(dataset.columns if dataset else {}), **(familiar or {})}
    read = partial(_rows, pointwise, config.window, roles=roles, optional=optional, gaps=gaps, turns=config.turns)
    parts = {part: read(table, name, columns=config.columns, familiar=familiar) for part, table in tables.items()}
    columns = parts["train"].columns
    for part, path in (("valid", config.valid), ("test", config.test)):
        if path:
            table = read_table(Path(path), config.encoding, config.header, plain)
            parts[part] = read(table, path, columns={}, familiar=columns)
    notes = list(dict.fromkeys(note for rows in parts.values() for note in rows.notes))
    frames = {part: rows.frame for part, rows in parts.items()}
    notes += [note for part in frames if part != "train" for note in _shared(frames["train"], frames[part], part)]
    shares = {"valid": config.valid_fraction, "test": config.test_fraction}
    missing = {part: share for part, share in shares.items() if part not in frames and share}
    if missing:
        try:
            stepwise = pointwise or {RECORDING, "tags"} <= set(frames["train"].columns)
            if stepwise and len(frames["train"]) < FEW:
                cut, note = (
                    cut_in_time(frames["train"], missing),
                    f"{describe(missing)} cut from the end of each series",
                )
            else:
                cut, note = _cut(frames["train"], missing, config.split_seed, running)
        except InputError as error:
            raise InputError(f"{name}: {error}") from None
        frames |= cut
        notes.append(f"{name}: {note}")
    return Splits(
        name=name,
        train=frames["train"],
        valid=frames["valid"],
        test=frames.get("test"),
        columns=columns,
        notes=notes,
        defaults=dataset.defaults if dataset else {},
        cut=tuple(missing),
    )


def read_rows(
    source: Any,
    roles: tuple[str, ...],
    columns: Mapping[str, str],
    encoding: str = "utf-8",
    running: bool = False,
    header: bool = True,
    familiar: Mapping[str, str] | None = None,
    optional: tuple[str, ...] = (),
    gaps: tuple[str, ...] = (),
    turns: int = 0,
    pointwise: bool = False,
    window: int = 0,
) -> Rows:
    """Rows to evaluate or predict: of a file, a folder or a frame, or the test rows of a data set by name.

    columns, familiar, optional, gaps, turns: as for ``rows_of``; pointwise: as for ``load``; window: as for
    ``recordings``. A data set without test rows of its own gives all its rows, and a note says so. Raises as ``load``
    does.
    """
    name, tables, dataset = tables_of(source, encoding, header, _plain(roles, running))
    familiar = {**(dataset.columns if dataset else {}), **(familiar or {})}
    table = tables.get("test", tables["train"])
    rows = _rows(pointwise, window, table, name, roles, columns, familiar, optional, gaps, turns)
    if dataset and "test" not in tables:
        rows.notes.append(f"{name}: a data set without test rows of its own; these are all its rows")
    return rows


def _rows(
    pointwise: bool,
    window: int,
    table: "pd.DataFrame",
    name: str,
    roles: tuple[str, ...],
    columns: Mapping[str, str],
    familiar: Mapping[str, str],
    optional: tuple[str, ...],
    gaps: tuple[str, ...],
    turns: int,
) -> Rows:
    """As ``rows_of``, of a table that may hold points, or the steps of recordings."""
    read = table.attrs.get(NOTES, [])
    # In both, the columns are then as they are called in the data, so that a run finds them again.
    if pointwise and (points := gathered(table, name, columns)):
        own = {role: column for role, column in columns.items() if role != WHOLE}
        about = [role for role in ABOUT if role in points.table] if "id" in optional else []
        rows = rows_of(points.table, name, roles, {**own, WHOLE: WHOLE}, familiar, (*optional, *about), gaps, turns)
        found = {**rows.columns, WHOLE: points.channels}
        return replace(rows, columns=found, notes=[*read, *points.notes, *rows.notes])
    if not pointwise and (log := recordings(table, name, roles, columns, familiar, window)):
        rows = rows_of(log.table, name, roles, {}, None, (*optional, RECORDING), gaps)
        return replace(rows, columns=log.columns, notes=[*read, *log.notes, *rows.notes])
    rows = rows_of(table, name, roles, columns, familiar, optional, gaps, turns)
    return replace(rows, notes=[*read, *rows.notes])


def _plain(roles: tuple[str, ...], running: bool) -> Plain:
    """How plain text files are read for these roles."""
    return "whole" if running else "columns" if "tags" in roles else "lines"


def tables_of(
    source: Any, encoding: str, header: bool, plain: Plain
) -> "tuple[str, dict[str, pd.DataFrame], Dataset | None]":
    """Name, split to table, and the data set where it is one."""
    if not isinstance(source, str | Path):
        return "frame", {"train": from_frame(source)}, None
    if not str(source):
        raise InputError("data: expected a file, a folder, a frame or a data set's name, got nothing")
    if is_readable(Path(source)):
        return str(source), {"train": read_table(Path(source), encoding, header, plain)}, None
    names = DATASETS.names()
    key = str(source).replace("_", "-")
    if key not in names:
        near = get_close_matches(key, names, n=3, cutoff=0.5)
        listed = " or ".join(map(repr, near))
        hint = f"did you mean the data set {listed}?" if near else "`recurra datasets` lists those there are"
        raise MissingFileError(f"{source}: no such file or folder, and no data set of this name; {hint}")
    dataset: Dataset = DATASETS.get(key)
    return dataset.name, dataset.load(plain), dataset


def from_frame(frame: Any) -> "pd.DataFrame":
    import pandas as pd

    if type(frame).__module__.partition(".")[0] == "polars":
        frame = frame.to_pandas()
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"data: expected a path, a pandas or a polars frame, got {type(frame).__name__}")
    # What pandas has of its own for a missing number is None, as everywhere here.
    return frame_of({str(name): [None if v is pd.NA else v for v in frame[name]] for name in frame.columns})


def is_frame(data: Any) -> bool:
    """Whether this is a pandas or polars frame, neither of which is imported for it."""
    return type(data).__name__ == "DataFrame" and type(data).__module__.partition(".")[0] in ("pandas", "polars")


def _shared(train: "pd.DataFrame", other: "pd.DataFrame", part: str) -> list[str]:
    """A note on inputs of rows given for validation or test which are trained on as well; empty ones are not."""
    from recurra.arrays import identity

    role = train.columns[0]
    known = {identity(value) for value in train[role] if len(value)}
    count = sum(len(value) > 0 and identity(value) in known for value in other[role])
    return [f"{count:,} of {len(other):,} {part} rows have a {role} that is also trained on"] if count else []


def _cut(
    train: "pd.DataFrame", shares: dict[str, float], seed: int, running: bool
) -> "tuple[dict[str, pd.DataFrame], str]":
    """Training rows divided, and a note that says how."""
    from recurra.arrays import identity

    role = train.columns[0]
    kept = next((one for one in ("dialogue", RECORDING) if one in train.columns), role)  # what no two parts may share
    texts = list(train[kept])
    if running and len(texts) == 1:
        parts = {part: frame_of({role: [text]}) for part, text in split_text(texts[0], shares).items()}
        return parts, f"{describe(shares)} cut from the end of the text"
    labels = list(train["label"]) if "label" in train.columns else None
    sizes = [len(text) for text in texts] if running else None
    rows = split_rows(list(map(identity, texts)), shares, labels=labels, sizes=sizes, seed=seed)
    many = kept if kept.endswith("s") else f"{kept}s"
    even = ", the same share of every label" if labels else ""
    note = f"{describe(shares)} cut from {len(texts):,} rows, identical {many} kept together{even} (split_seed {seed})"
    return {part: train.iloc[at] for part, at in rows.items()}, note
