"""recurra report"""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "recurra report runs/demo"


def report(run: Annotated[Path, typer.Argument(help="A run folder.")]) -> None:
    """Writes a run's report.html anew."""
    from recurra import report as reports

    print(reports.build(run))
