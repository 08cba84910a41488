"""A download's progress on standard error."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn


class Bar:
    """What pooch wants of a progress bar: ``total``, ``update``, ``reset`` and ``close``. Unseen before an update."""

    def __init__(self, name: str):
        columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
        console = Console(stderr=True)
        self.progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self.task = self.progress.add_task(name, total=None, visible=False)
        self.total = 0

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.progress.stop()

    def update(self, size: int) -> None:
        """size: bytes since the last update."""
        self.progress.update(self.task, advance=size, total=self.total or None, visible=True)

    def reset(self) -> None:
        """Back to nothing: pooch does so at the end, and then fills the bar."""
        self.progress.reset(self.task)

    def close(self) -> None:
        self.progress.stop()
