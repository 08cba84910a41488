"""A training as it runs, on standard error."""

import sys
import time
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from recurra.cli._output import duration, figure

# A line this often where standard error is a file or a pipe and no bar can move.
PLAIN_SECONDS = 10.0
BAR_SECONDS = 0.2

ENDINGS = {
    "epochs": "all epochs done",
    "minutes": "time is up",
    "early stopping": "no more improvement",
    "interrupted": "interrupted; the weights so far are kept, --resume goes on from here",
    "diverged": "the loss is no longer a number (a lower training.rate may help)",
}


class TrainingDisplay:
    """Epoch, tokens a second, loss, gradient norm and time left; a line for each validation."""

    def __init__(self) -> None:
        self.console = Console(file=sys.stderr, highlight=False, markup=False, soft_wrap=True)
        self.bar: Progress | None = None
        self.shown = 0.0

    def show(self, event: str, values: dict[str, Any]) -> None:
        if event in ("start", "valid", "end", "evaluation"):
            getattr(self, f"_{event}")(values)

    def tick(self, values: dict[str, Any]) -> None:
        now = time.monotonic()
        if now - self.shown < (BAR_SECONDS if self.console.is_terminal else PLAIN_SECONDS):
            return
        self.shown = now
        line, share = values["window"].line(), values["share"]
        left = values["seconds"] * (1 - share) / share if share > 0 else 0.0
        text = (
            f"epoch {values['epoch']:.2f}  {line['tokens_per_second']:,.0f} tokens/s  loss {line['loss']:.3f}"
            f"  gradient {line['grad_norm']:.2f}  left {duration(left)}"
        )
        if not self.console.is_terminal:
            self.console.print(f"{share:4.0%}  {text}")
            return
        if self.bar is None:
            columns = BarColumn(bar_width=24), TextColumn("{task.description}")
            self.bar = Progress(*columns, console=self.console, transient=True)
            self.bar.add_task("", total=1.0)
            self.bar.start()
        self.bar.update(self.bar.task_ids[0], completed=share, description=text)

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar:
            self.bar.stop()
            self.bar = None

    def _start(self, values: dict[str, Any]) -> None:
        data = values["data"]
        rows = ", ".join(f"{count:,} {split}" for split, count in data["rows"].items())
        self.console.print(
            f"{values['task']} on {data['name']} ({rows} rows; {data['tokens']['train']:,} steps an epoch)"
        )
        for note in data["notes"]:
            self.console.print(f"  {note}")
        self.console.print(f"{values['parameters']:,} parameters, seed {values['seed']}")

    def _valid(self, values: dict[str, Any]) -> None:
        metrics = "  ".join(f"{name} {figure(value)}" for name, value in values["metrics"].items())
        best = "  best" if values["best"] else ""
        self.console.print(f"valid  epoch {values['epoch']:6.2f}  {duration(values['seconds']):>7}  {metrics}{best}")

    def _end(self, values: dict[str, Any]) -> None:
        self.close()
        self.console.print(f"{ENDINGS[values['reason']]}: {values['step']:,} steps in {duration(values['seconds'])}")

    def _evaluation(self, values: dict[str, Any]) -> None:
        if verdict := values["details"].get("verdict"):
            self.console.print(verdict)
        for way, metrics in {values["split"]: values["metrics"], **values["details"].get("beside", {})}.items():
            self.console.print(f"{way}  {'  '.join(f'{name} {figure(value)}' for name, value in metrics.items())}")
