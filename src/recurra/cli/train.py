"""recurra train"""

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.cli._options import Columns, columns, pairs

EXAMPLE = "recurra train sentiment reviews.csv --column text=review --column label=stars --out runs/reviews"


def train(
    task: Annotated[str, typer.Argument(help="What to train for; `recurra tasks` lists them.")],
    data: Annotated[
        str | None, typer.Argument(help="A file, a folder or a data set's name; none: the task's default.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The run folder; none: runs/TASK, numbered if taken.")] = None,
    cell: Annotated[
        str | None, typer.Option(help="The recurrent cell: lstm, gru, ...; gru,lstm: of each layer.")
    ] = None,
    layers: Annotated[int | None, typer.Option(help="Layers on top of each other.")] = None,
    hidden: Annotated[str | None, typer.Option(help="Hidden units of a layer; 128,64: of each layer.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Passes over the training data.")] = None,
    minutes: Annotated[float | None, typer.Option(help="Time to train; the schedule ends when it does.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of everything random.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings, such as a recipe.")] = None,
    set: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Any setting, e.g. training.rate=1e-3. Repeatable.")
    ] = None,
    column: Columns = None,
    valid: Annotated[str | None, typer.Option(help="A file to validate on; none: a split is made.")] = None,
    test: Annotated[str | None, typer.Option(help="A file to test on; none: a split is made.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the training in --out.")] = False,
) -> None:
    """Trains a model and leaves a run folder: weights, configuration, metrics and report.

    Ctrl-C ends the training after the present step and keeps the best weights.
    """
    given: dict[str, Any] = {
        "trunk.cell": cell,
        "trunk.layers": layers,
        "trunk.hidden": hidden,
        "epochs": epochs,
        "minutes": minutes,
        "seed": seed,
        "data.valid": valid,
        "data.test": test,
    }
    options = {key: value for key, value in given.items() if value is not None}
    options |= pairs("--set", "KEY=VALUE", set)
    options |= {f"data.columns.{role}": name for role, name in columns(column).items()}

    from recurra import runs
    from recurra.cli._display import TrainingDisplay

    display = TrainingDisplay()
    try:
        run = runs.train(task, data, out=out, config=config, resume=resume, display=display, settings=options)
    finally:
        display.close()
    display.console.print(f"run     {run.path}\nreport  {run.path / 'report.html'}")
