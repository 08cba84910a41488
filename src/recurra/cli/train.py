"""recurra train"""

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.cli._options import Columns, Config, Data, Epochs, Minutes, Seed, Set, Task, Test, Valid, settings

EXAMPLE = "recurra train sentiment reviews.csv --column text=review --column label=stars --out runs/reviews"


def train(
    task: Task,
    data: Data = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; none: runs/TASK, numbered if taken.")] = None,
    cell: Annotated[
        str | None, typer.Option(help="The recurrent cell: lstm, gru, ...; gru,lstm: of each layer.")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Layers on top of each other.")] = None,
    hidden: Annotated[str | None, typer.Option(help="Hidden units of a layer; 128,64: of each layer.")] = None,
    horizon: Annotated[int | None, typer.Option(help="forecast: steps to come; none: one season.")] = None,
    epochs: Epochs = None,
    minutes: Minutes = None,
    seed: Seed = None,
    config: Config = None,
    set: Set = None,
    column: Columns = None,
    valid: Valid = None,
    test: Test = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out.")] = False,
) -> None:
    """Trains a model and leaves a run folder: weights, configuration, metrics and report.

    Ctrl-C ends the training after the present step and keeps the best weights.
    """
    given: dict[str, Any] = {
        "trunk.cell": cell,
        "trunk.layers": layers,
        "trunk.hidden": hidden,
        "head.horizon": horizon,
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "data.valid": valid,
        "data.test": test,
    }
    options = settings(given, set, column)

    from recurra import runs
    from recurra.cli._display import TrainingDisplay

    display = TrainingDisplay()
    try:
        run = runs.train(task, data, out=out, config=config, resume=resume, display=display, settings=options)
    finally:
        display.close()
    display.console.print(f"run     {run.path}\nreport  {run.path / 'report.html'}")
