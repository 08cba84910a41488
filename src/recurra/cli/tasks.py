"""recurra tasks"""

from typing import Annotated

import typer

EXAMPLE = "recurra tasks"


def tasks(json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False) -> None:
    """The jobs that models can be trained for."""
    from recurra.cli._output import print_json, print_table
    from recurra.tasks import TASKS

    found = list(TASKS.all().values())
    if json:
        for t in found:
            print_json({k: v for k, v in vars(t).items() if k != "defaults"})
        return
    rows = [(t.name, t.summary, f"{t.input} -> {t.output}", ", ".join(t.roles), t.dataset) for t in found]
    print_table(("task", "what it does", "model", "columns", "default data"), rows)
