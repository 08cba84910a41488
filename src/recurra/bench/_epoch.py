"""A training by our own loop, with its log and its checkpoint, as work to be timed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.bench._compare import clock
from recurra.model import Model
from recurra.sequences.batches import Separate, Streams
from recurra.training import TrainingConfig, fit


class Discard:
    """A log that keeps nothing but writes as the real one does."""

    def __init__(self, file: Path):
        self.file = file

    def write(self, event: str, values: dict[str, Any]) -> None:
        with open(self.file, "a") as file:
            file.write(json.dumps({"event": event, **values}) + "\n")

    def tick(self, values: dict[str, Any]) -> None:
        pass

    def position(self) -> int:
        return 0

    def rewind(self, position: int) -> None:
        pass


def training(model: Model, batches: Separate | Streams, config: TrainingConfig, folder: Path) -> Callable[[], float]:
    """Seconds of a training as ``config`` has it, without validation. folder: what it writes goes there."""
    best = {model.head.objective.metric: 0.0}

    def run() -> float:
        start = clock()
        fit(
            model,
            batches,
            config,
            objective=model.head.objective,
            validate=lambda: best,
            keep=lambda: None,
            log=Discard(folder / "log"),
            checkpoint_file=folder / "checkpoint",
        )
        seconds = clock() - start
        (folder / "checkpoint").unlink()
        return seconds

    return run
