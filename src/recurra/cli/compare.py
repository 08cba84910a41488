"""recurra compare"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recurra.cli._options import Columns, Config, Data, Epochs, Minutes, Seed, Set, Task, Test, Valid, settings

if TYPE_CHECKING:
    from recurra.runs import Compared

EXAMPLE = "recurra compare topic tickets.csv --cells gru,lstm,min-gru --out runs/cells"


def compare(
    task: Task,
    data: Data = None,
    cells: Annotated[
        str, typer.Option(metavar="A,B,...", help="Names with commas between them; all: every cell there is.")
    ] = "rnn-tanh,gru,lstm",
    parameters: Annotated[
        int, typer.Option(min=0, help="About how many each model has; 0: as many as the first cell's.")
    ] = 0,
    out: Annotated[Path | None, typer.Option(help="A folder for the runs; none: runs/TASK-compared.")] = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    seed: Seed = None,
    config: Config = None,
    set: Set = None,
    column: Columns = None,
    valid: Valid = None,
    test: Test = None,
    resume: Annotated[bool, typer.Option("--resume", help="Take the runs in --out that are there, train the rest.")] = (
        False
    ),
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a cell.")] = False,
) -> None:
    """Trains a task with several cells: same data, parameters and budget, one table.

    Each cell gets as many hidden units as bring its model closest to the wanted number of parameters.
    """
    given = {"epochs": epochs, "minutes": minutes, "seed": seed, "data.valid": valid, "data.test": test}
    options = settings(given, set, column)

    from recurra import runs
    from recurra.cells import CELLS
    from recurra.cli._display import TrainingDisplay
    from recurra.cli._output import print_json, say

    names = CELLS.names() if cells == "all" else [name.strip() for name in cells.split(",") if name.strip()]
    display = TrainingDisplay()
    found: list[Compared] = []
    try:
        for one in runs.compare(
            task,
            data,
            cells=names,
            parameters=parameters,
            out=out,
            config=config,
            resume=resume,
            settings=options,
            display=display,
            tell=say,
        ):
            found.append(one)
            if json:
                print_json(asdict(one))
    finally:
        display.close()
    if not json:
        _print(found)


def _print(found: "list[Compared]") -> None:
    """A line a cell, the best first; those that failed last."""
    from recurra.cli._output import figure, print_table

    def place(one: "Compared") -> float:
        assert one.objective is not None
        return one.metrics[one.objective.metric] * (-1 if one.objective.maximise else 1)

    done = sorted((one for one in found if one.metrics), key=place)
    names = list(done[0].metrics) if done else []
    rows = [
        (
            one.cell,
            f"{one.hidden:,}",
            f"{one.parameters:,}",
            *(figure(one.metrics[name]) if one.metrics else "" for name in names),
            f"{one.minutes:.1f}",
            one.reason,
            ", ".join(one.without),
        )
        for one in [*done, *(one for one in found if not one.metrics)]
    ]
    print_table(("cell", "hidden", "parameters", *names, "minutes", "ended", "without"), rows)
