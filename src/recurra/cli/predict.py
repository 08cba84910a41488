"""recurra predict"""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.cli._options import Columns, columns
from recurra.errors import InputError

EXAMPLE = 'recurra predict runs/reviews "what a film"'


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    inputs: Annotated[list[str] | None, typer.Argument(metavar="INPUT ...", help="Texts; none: read lines.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one input a row.")] = None,
    column: Columns = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an input.")] = False,
) -> None:
    """Predicts for each input. Without INPUT or --file, standard input is read, one text a line."""
    from recurra import runs
    from recurra.cli._output import print_json, say

    if inputs and file:
        raise InputError("give inputs or --file, not both")
    trained = runs.load(run)
    rows: list[Any]
    if file:
        rows = trained.read(file, columns(column), tell=say)
    else:
        rows = inputs or [line.rstrip("\n") for line in sys.stdin]
    for row, result in zip(rows, trained.predict(rows), strict=True):
        if json:
            print_json({"input": row, **result})
        else:
            print(f"{_answer(result)}\t{' '.join(row) if isinstance(row, tuple) else row}")


def _answer(result: dict[str, Any]) -> str:
    """A prediction in a few words: tags, a label, or the likeliest next tokens, with probabilities."""
    if "tags" in result:
        tokens = result.get("tokens", [""] * len(result["tags"]))
        return " ".join(t if tag == "O" else f"{t}/{tag}" for t, tag in zip(tokens, result["tags"], strict=True))
    if "label" in result:
        return f"{result['label']}\t{result['probability']:.3f}"
    return " ".join(f"{n['token']!r}:{n['probability']:.3f}" for n in result["next"])
