"""recurra evaluate"""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli._options import Columns, columns

EXAMPLE = "recurra evaluate runs/reviews more-reviews.csv --json"


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    data: Annotated[str | None, typer.Argument(help="A file or a data set's name; none: the run's own data.")] = None,
    split: Annotated[str, typer.Option(help="The part of a data set: train, valid or test.")] = "test",
    column: Columns = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Measures a trained model on data."""
    from recurra import runs
    from recurra.cli._output import figure, print_json, print_table, say

    result = runs.load(run).evaluate(data, split, columns(column), tell=say)
    if json:
        print_json(result)
        return
    beside = result.get("beside", {})
    head = (f"{result['task']} on {result['data']} ({result['split']})", "this model" if beside else "", *beside)
    rows = [
        (name, figure(value), *(figure(other[name]) if name in other else "" for other in beside.values()))
        for name, value in result["metrics"].items()
    ]
    print_table(head, rows)
