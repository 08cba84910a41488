"""metrics.jsonl: every event of a training, one JSON object a line."""

import json
from pathlib import Path
from typing import Any, Protocol

from recurra.errors import MissingExtraError, RunError
from recurra.notes import pass_on


class Display(Protocol):
    """Shows a training while it runs; the command line has one, Python warns."""

    def show(self, event: str, values: dict[str, Any]) -> None:
        """One event, as it is kept in metrics.jsonl."""

    def tick(self, values: dict[str, Any]) -> None:
        """Where the training is, after every step."""


class Silent:
    """Shows nothing."""

    def show(self, event: str, values: dict[str, Any]) -> None:
        pass

    def tick(self, values: dict[str, Any]) -> None:
        pass


class Warns:
    """Says what was not taken of the data as it is, as warnings; shows nothing else."""

    def show(self, event: str, values: dict[str, Any]) -> None:
        if event == "start":
            pass_on(values["data"]["notes"])

    def tick(self, values: dict[str, Any]) -> None:
        pass


class RunLog:
    """Appends events to a run's metrics.jsonl, shows them, and copies the figures to TensorBoard where asked."""

    def __init__(self, folder: Path, display: Display, *, tensorboard: bool = False):
        self.file, self.display = folder / "metrics.jsonl", display
        self.board = _board(folder) if tensorboard else None
        self.tick = display.tick

    def write(self, event: str, values: dict[str, Any]) -> None:
        with open(self.file, "a", encoding="utf-8") as file:
            file.write(json.dumps({"event": event, **values}, ensure_ascii=False) + "\n")
        self.display.show(event, values)
        if self.board and "step" in values:
            figures = {**values, **values.get("metrics", {})}
            for name, value in figures.items():
                if isinstance(value, float):
                    self.board.add_scalar(f"{event}/{name}", value, values["step"])

    def position(self) -> int:
        return self.file.stat().st_size

    def rewind(self, position: int) -> None:
        if position > (self.file.stat().st_size if self.file.exists() else 0):
            raise RunError(
                f"{self.file}: shorter than at the checkpoint, so it has been changed; train into another folder"
            )
        with open(self.file, "ab") as file:
            file.truncate(position)


def _board(folder: Path) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise MissingExtraError("training.tensorboard", "tensorboard") from error
    return SummaryWriter(str(folder / "tensorboard"))
