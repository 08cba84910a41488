"""recurra datasets"""

from typing import Annotated

import typer

EXAMPLE = "recurra datasets"


def datasets(json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False) -> None:
    """The data sets that can be used by name."""
    from recurra.cli._output import print_json, print_table
    from recurra.datasets import DATASETS

    found = list(DATASETS.all().values())
    if json:
        for d in found:
            print_json({k: getattr(d, k) for k in ("name", "summary", "size", "task", "licence", "source")})
        return
    print_table(
        ("data set", "task", "what it is", "size", "licence"),
        [(d.name, d.task, d.summary, d.size, d.licence) for d in found],
    )
