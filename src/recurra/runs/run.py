"""A run: the folder a training leaves behind, and what can be done with it."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.datasets import DATASETS, Splits, read_rows
from recurra.datasets import load as load_data
from recurra.errors import InputError, RunError
from recurra.generation import Sampling, generate
from recurra.heads import HEADS
from recurra.model import Model, read_config
from recurra.report.events import lines
from recurra.runs.config import RunConfig, from_run
from recurra.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd


# config.toml's data.source of a run that was trained on a data frame.
FRAME = "<data frame>"


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

    @cached_property
    def splits(self) -> Splits:
        """The run's own data, split as in its training. Raises InputError where that was a data frame."""
        if self.config.data.source == FRAME:
            raise InputError(f"{self.path}: trained on a data frame, which a run folder does not hold; name the data")
        return load_splits(self.config)

    @property
    def events(self) -> list[dict[str, Any]]:
        """What metrics.jsonl holds."""
        return lines(self.path)

    def predict(self, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """One prediction for each raw row, as plain values."""
        return self.model.predict(rows)

    def evaluate(self, data: "str | Path | pd.DataFrame | None" = None, split: str = "test") -> dict[str, Any]:
        """The task's metrics on ``data``: a file, a folder, a data frame or a data set's name; None: the run's own.

        split: which part of a data set is meant (train, valid, test). Returns task, data, split and metrics.
        Raises InputError (DataError, MissingFileError) for data that do not fit.
        """
        name, split, frame = self._rows(data, split)
        metrics = self.model.measure(self.model.evaluation_batches(frame, name)).metrics()
        return {"task": self.config.task, "data": name, "split": split, "metrics": metrics}

    def _rows(self, data: "str | Path | pd.DataFrame | None", split: str) -> "tuple[str, str, pd.DataFrame]":
        config = self.config.data
        if data is None or (isinstance(data, str) and data in DATASETS and not Path(data).exists()):
            own = data is None or data == config.source
            splits = (
                self.splits
                if own
                else load_splits(replace(self.config, data=replace(config, source=str(data), valid="", test="")))
            )
            if split not in ("train", "valid", "test"):
                raise InputError(f"split: expected train, valid or test, got {split!r}")
            frame = getattr(splits, split)
            if frame is None:
                raise InputError(f"{splits.name} has no {split} part; name a file to evaluate on, or another split")
            return splits.name, split, frame
        rows = read_rows(
            data,
            self.task.roles,
            config.columns,
            config.encoding,
            running=self.model.head.running,
            header=config.header,
        )
        return str(data) if isinstance(data, str | Path) else "data frame", "all", rows.frame

    def read(self, file: str | Path) -> list[Any]:
        """The raw rows of a file, to predict: the input column alone is needed."""
        roles = (self.model.modality.role,)
        columns = {role: column for role, column in self.config.data.columns.items() if role in roles}
        rows = read_rows(file, roles, columns, self.config.data.encoding, header=self.config.data.header)
        return list(rows.frame[roles[0]])

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


def load_splits(config: RunConfig, frame: "pd.DataFrame | None" = None) -> Splits:
    """The data a configuration names, or a data frame in their place, split."""
    task = TASKS.get(config.task)
    running = HEADS.get(task.output).running
    return load_data(config.data, task.roles, running=running, default_dataset=task.dataset, frame=frame)
