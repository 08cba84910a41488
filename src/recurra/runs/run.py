"""A run: the folder a training leaves behind, and what can be done with it."""

import os
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.config import override
from recurra.datasets import DATASETS, Rows, Splits, read_rows
from recurra.datasets import load as load_data
from recurra.datasets.columns import ABOUT
from recurra.datasets.load import is_frame, tables_of
from recurra.datasets.logs import ROLES as LOG_ROLES
from recurra.datasets.panel import panel_of
from recurra.datasets.tables import frame_of, is_readable
from recurra.datasets.windows import Timing, last_windows, load_windows
from recurra.errors import InputError, MissingFileError, RunError
from recurra.generation import Sampling, generate
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.model import Model, read_config
from recurra.notes import pass_on
from recurra.report.events import lines
from recurra.runs.config import RunConfig, from_run
from recurra.runs.conversation import Conversation
from recurra.runs.fingerprint import fingerprint
from recurra.runs.searching import Searcher, documents_of
from recurra.streaming import Decisions, DecisionStreams
from recurra.tasks import TASKS, Task
from recurra.timeline import Window

if TYPE_CHECKING:
    import pandas as pd

    from recurra.ranking.index import Hit, Index


# config.toml's data.source of a run that was trained on a data frame.
FRAME = "<data frame>"

SPLITS = ("train", "valid", "test")


class Run:
    """A trained model with its data's names, its figures and its report.

    >>> import recurra
    >>> run = recurra.load("runs/reviews")                     # doctest: +SKIP
    >>> run.predict(["what a film"])[0]["label"]               # doctest: +SKIP
    'positive'
    """

    def __init__(self, path: Path, config: RunConfig, model: Model):
        self.path, self.config, self.model = path, config, model
        self.task = TASKS.get(config.task)
        self._searching: Searcher | None = None

    @cached_property
    def splits(self) -> Splits:
        """The run's own data, split as in its training.

        Raises InputError where that was a data frame, MissingFileError where the data are gone, RunError where they
        have changed: another split would hold out rows that were trained on.
        """
        if self.config.data.source == FRAME:
            raise InputError(f"{self.path}: trained on a data frame, which a run folder does not hold; name the data")
        data = self.config.data
        for path in (data.source, data.valid, data.test):
            elsewhere = path and not os.path.isabs(path) and not is_readable(Path(path))
            if elsewhere and path.replace("_", "-") not in DATASETS:
                raise MissingFileError(
                    f"{self.path}: its data {path} are not here: the path is relative to where its training was "
                    "started; go there, or name the data to evaluate on"
                )
        splits = load_splits(self.config)
        start = self.events[0] if (self.path / "metrics.jsonl").exists() else {}
        if start and start["data"]["fingerprint"] != fingerprint(splits.train):
            raise RunError(
                f"{self.path}: the training data have changed since it was trained; name the data to evaluate on"
            )
        return splits

    @property
    def events(self) -> list[dict[str, Any]]:
        """What metrics.jsonl holds."""
        return lines(self.path)

    def predict(self, rows: Iterable[Any], *, explain: bool = False) -> list[dict[str, Any]]:
        """One prediction for each raw row, as plain values. explain: with what it rests on, for heads that can say.

        rows: the inputs alone, or a data frame with a column of them, as ``predict_file`` reads a file.
        """
        if is_frame(rows):
            frame: Any = rows
            return self.predict_file(frame, explain=explain)
        return self.model.predict(rows, explain=explain)

    def evaluate(
        self,
        data: "str | Path | pd.DataFrame | None" = None,
        split: str = "test",
        columns: dict[str, str] | None = None,
        *,
        tell: Callable[[str], object] | None = None,
    ) -> dict[str, Any]:
        """The task's metrics on ``data``: a file, a folder, a data frame or a data set's name; None: the run's own.

        split: which part of a data set is meant (train, valid, test). columns: the column of a role in ``data``; else
        that of the training where ``data`` have it, else a guess. tell: gets each sentence that a person should know
        about the data, such as how many rows were left out; None: what was left out, filled or merged is a
        ``recurra.errors.DataNote``, a warning. Returns task, data, split, metrics and, where there is something to hold
        them against on the same rows, ``beside``: its metrics by its name.
        Raises InputError (DataError, MissingFileError, UnknownNameError) for data that do not fit.
        """
        part, rows, trained = self._rows(data, split, columns or {})
        meter = self.model.measure(self.model.evaluation_batches(rows.frame, rows.name))
        found = {"task": self.config.task, "data": rows.name, "split": part, "metrics": meter.metrics()}
        beside = meter.beside(rows.frame, trained)
        pass_on(rows.notes, tell)
        return {**found, "beside": beside} if beside else found

    def _rows(
        self, data: "str | Path | pd.DataFrame | None", split: str, columns: dict[str, str]
    ) -> "tuple[str, Rows, pd.DataFrame | None]":
        """The rows to evaluate on, which part of the data they are, and the training rows where it is the run's own."""
        if split not in SPLITS:
            raise InputError(f"split: expected {', '.join(SPLITS[:-1])} or {SPLITS[-1]}, got {split!r}")
        config = self.config.data
        named = isinstance(data, str) and data in DATASETS and not Path(data).exists()
        if data is None or named or self.model.modality.timed:
            own = data is None or (isinstance(data, str) and data == config.source)
            if own and columns:
                raise InputError("columns: those of the run's own data are known; name them for other data only")
            held = data if data is not None and not isinstance(data, str | Path) else None
            other = replace(config, source=FRAME if held is not None else str(data), valid="", test="", columns=columns)
            away = replace(self.config, data=other)
            splits = self.splits if own else load_splits(away, held, familiar=config.columns)
            frame = getattr(splits, split)
            if frame is None:
                raise InputError(f"{splits.name} has no {split} part; name a file to evaluate on, or another split")
            # What is to be known about the run's own data was said when it was trained.
            rows = Rows(splits.name, frame, splits.columns, [] if own else splits.notes)
            return split, rows, splits.train if own else None
        rows = read_rows(
            data,
            self.task.roles,
            columns,
            config.encoding,
            running=self.model.head.running,
            header=config.header,
            familiar=config.columns,
            optional=optional_roles(self.task),
            gaps=self.model.head.gaps,
            turns=config.turns,
            pointwise=self.model.head.pointwise,
            window=config.window,
        )
        return "all", replace(rows, name=str(data) if isinstance(data, str | Path) else "data frame"), None

    def read(
        self,
        file: str | Path,
        columns: dict[str, str] | None = None,
        *,
        tell: Callable[[str], object] | None = None,
    ) -> list[Any]:
        """Every raw row of a file, to predict: the input column alone is needed, and may be empty.

        columns, tell: as for ``evaluate``.
        """
        return list(self._inputs(file, columns, tell)[self.model.modality.role])

    def predict_file(
        self,
        file: "str | Path | pd.DataFrame",
        columns: dict[str, str] | None = None,
        *,
        explain: bool = False,
        tell: Callable[[str], object] | None = None,
    ) -> list[dict[str, Any]]:
        """``predict`` of every row of a file or a data frame, each with what the file says of it.

        That is its ``input``; its ``id``, where the file has such (the record of a FASTA file, the series of a table of
        points or else the file, recording and steps of a log); and of alarms their ``times``, in UTC where they have a
        zone. columns, tell: as for ``evaluate``.
        """
        frame = self._inputs(file, columns, tell)
        results = self.model.predict(list(frame[self.model.modality.role]), explain=explain)
        if self.model.modality.timed:  # whose predictions say all this themselves
            return results
        given = [frame[role] if role in frame else [None] * len(frame) for role in ABOUT]
        found = []
        for row, id, times, result in zip(frame[self.model.modality.role], *given, results, strict=True):
            about = {"input": row} | ({} if id is None else {"id": id})
            if times is not None and "alarms" in result:
                result = {**result, "times": [_moment(times[step]) for step in result["alarms"]]}
            found.append({**about, **result})
        return found

    def _inputs(
        self, file: "str | Path | pd.DataFrame", columns: dict[str, str] | None, tell: Callable[[str], object] | None
    ) -> "pd.DataFrame":
        """A file's rows: the input's column, and what the file says of them."""
        role, config = self.model.modality.role, self.config.data
        if self.model.modality.timed:
            windows, notes = self.windows(file, columns)
            pass_on(notes, tell)
            return frame_of({role: windows})
        rows = read_rows(
            file,
            (role,),
            columns or {},
            config.encoding,
            header=config.header,
            familiar={name: column for name, column in config.columns.items() if name in (role, *LOG_ROLES)},
            optional=("id",),
            gaps=(role, "id"),
            pointwise=self.model.head.pointwise,
            window=config.window,
        )
        pass_on(rows.notes, tell)
        return rows.frame

    def windows(
        self, data: "str | Path | pd.DataFrame", columns: dict[str, str] | None = None
    ) -> tuple[list[Window], list[str]]:
        """For each series of a table what comes after its last known y, to be forecast, and notes on the table.

        Rows after that with an empty y hold the covariates of the future. Raises InputError where these are missing.
        """
        config, horizon = self.config, self.config.head.horizon
        name, tables, _ = tables_of(data, config.data.encoding, config.data.header, "lines")
        panel = panel_of(tables, name, columns or {}, config.modality.frequency, horizon, config.data.columns)
        return last_windows(panel, horizon, config.modality.steps), panel.notes

    def generate(
        self,
        prompt: str = "",
        length: int = 200,
        *,
        temperature: float = 0.8,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int = 0,
    ) -> Iterator[str]:
        """``length`` tokens that continue ``prompt``, in pieces, as they are drawn (language models)."""
        return generate(self.model, prompt, length, Sampling(temperature, top_k, top_p, seed))

    def stream(self, window: int = 0) -> Decisions:
        """A live sequence, fed as it comes, with a prediction after each step (see ``recurra.streaming.Decisions``)."""
        return Decisions(self.model, window)

    def streams(self, capacity: int, window: int = 0) -> DecisionStreams:
        """Up to ``capacity`` of them, stepped together (see ``recurra.streaming.DecisionStreams``)."""
        return DecisionStreams(self.model, capacity, window)

    def converse(self, turns: "Iterable[tuple[str, str]]" = ()) -> Conversation:
        """A conversation (task ``chat``), from its beginning or after these turns: prompts with their replies."""
        if self.task.name != "chat":
            raise InputError(f"{self.path}: a run of {self.task.name}; conversations are for runs of chat")
        return Conversation(self.model, self.config.data.turns, turns)

    def index(
        self,
        documents: "str | Path | pd.DataFrame | Sequence[str]",
        columns: dict[str, str] | None = None,
        *,
        folder: str | Path | None = None,
        tell: Callable[[str], object] | None = None,
    ) -> "Index":
        """Makes ``documents`` searchable: a file, a folder, a data set's name, a data frame, or the texts themselves.

        columns: the column of the roles ``text`` and ``id``; else guessed; without ids, rows are numbered.
        folder: where the index is kept; None: ``index`` in the run's. It is made anew where documents or weights have
        changed. tell: as for ``evaluate``. Raises InputError (DataError for an id given twice) or MissingExtraError.
        """
        config = self.config.data
        rows = documents_of(documents, columns or {}, config.encoding, config.header)
        return self._searcher(folder).make(rows, tell)

    def search(
        self, query: str, top: int = 10, *, hybrid: bool = False, folder: str | Path | None = None
    ) -> "list[Hit]":
        """The documents of the run's index that are nearest to ``query``, the nearest first.

        hybrid: fused with BM25's ranking by the words in common. folder: of an index that is elsewhere.
        Raises InputError, MissingFileError where there is no index yet, RunError where it is of other weights.
        """
        return self._searcher(folder).search(query, top, hybrid)

    def similarity(self, texts: Sequence[str], others: Sequence[str]) -> list[float]:
        """How alike each text is to its other one: a score as in the training data, or without those a cosine."""
        return self._searcher(None).similarity(texts, others)

    def _searcher(self, folder: str | Path | None) -> Searcher:
        place = Path(folder) if folder else self.path / "index"
        if self._searching is None or self._searching.folder != place:
            self._searching = Searcher(self.model, self.path / "model.safetensors", place)
        return self._searching

    def save(self, folder: str | Path) -> None:
        """Copies the run folder. Raises RunError where ``folder`` exists."""
        if Path(folder).exists():
            raise RunError(f"{folder}: already exists; choose another folder")
        shutil.copytree(self.path, folder)

    def report(self) -> Path:
        """Writes report.html anew and returns its path."""
        from recurra import report

        return report.build(self.path)


def load(folder: str | Path) -> Run:
    """The run in a folder. Raises MissingFileError or RunError."""
    folder = Path(folder)
    config = from_run(read_config(folder))
    if not (folder / "model.safetensors").exists():
        raise RunError(f"{folder}: its training has not kept any weights yet; continue it with --resume")
    return Run(folder, config, Model.load(folder))


def optional_roles(task: Task) -> tuple[str, ...]:
    """Roles whose columns the data may lack."""
    return (*HEADS.get(task.output).optional, *task.optional)


def load_splits(
    config: RunConfig, frame: "pd.DataFrame | None" = None, familiar: Mapping[str, str] | None = None
) -> Splits:
    """The data a configuration names, or a data frame in their place, split as its training wants them.

    familiar: role to a column that is taken where the data have it.
    """
    task = TASKS.get(config.task)
    head = HEADS.get(task.output)
    if MODALITIES.get(task.input).timed:
        return load_windows(config.data, timing(config), task.dataset, frame, {**task.columns, **(familiar or {})})
    splits = load_data(
        config.data,
        task.roles,
        running=head.running,
        default_dataset=task.dataset,
        frame=frame,
        familiar={**task.columns, **(familiar or {})},
        optional=optional_roles(task),
        gaps=head.gaps,
        pointwise=head.pointwise,
    )
    return splits.without_valid() if config.training.weights == "last" else splits


def timing(config: RunConfig) -> Timing:
    """How the windows of a run on series in time lie."""
    m = config.modality
    return Timing(m.frequency, m.season, config.head.horizon, m.steps, m.stride, m.every)


def timed(config: RunConfig, found: Mapping[str, object]) -> RunConfig:
    """With what was found in the data in the place of every 0 of ``timing``, whoever wrote it."""
    at = {name: path for path in found if (name := path.rpartition(".")[2]) in vars(timing(config))}
    left = {at[name]: found[at[name]] for name, value in vars(timing(config)).items() if not value and name in at}
    return override(config, left)


def _moment(time: Any) -> str | float | int:
    """A time as JSON has it."""
    return time.item() if isinstance(time, np.number) else str(time).replace("T", " ")
