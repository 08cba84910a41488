"""Options that several commands have."""

from pathlib import Path
from typing import Annotated, Any

import typer

from recurra.errors import InputError

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="The column of a role, e.g. text=review. Repeatable."),
]

Task = Annotated[str, typer.Argument(help="What to train for; `recurra tasks` lists them.")]
Data = Annotated[str | None, typer.Argument(help="A file, a folder or a data set's name; none: the task's default.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over the training data.")]
Minutes = Annotated[float | None, typer.Option(help="Time to train; the schedule ends when it does.")]
Seed = Annotated[int | None, typer.Option(help="Seed of everything random.")]
Config = Annotated[Path | None, typer.Option(help="A TOML file of settings, such as a recipe.")]
Set = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Any setting, e.g. training.rate=1e-3. Repeatable.")
]
Valid = Annotated[str | None, typer.Option(help="A file to validate on; none: a split is made.")]
Test = Annotated[str | None, typer.Option(help="A file to test on; none: a split is made.")]


def settings(given: dict[str, Any], set: list[str] | None, column: list[str] | None) -> dict[str, Any]:
    """Settings by path: of the options that were given, of ``--set`` and of ``--column``."""
    found = {key: value for key, value in given.items() if value is not None}
    found |= pairs("--set", "KEY=VALUE", set)
    return found | {f"data.columns.{role}": name for role, name in columns(column).items()}


def pairs(option: str, form: str, texts: list[str] | None) -> dict[str, str]:
    """The values of a repeatable option of this form, ``NAME=VALUE``. Raises InputError."""
    found = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not (key and equals):
            raise InputError(f"{option} {text}: expected {form}")
        found[key] = value
    return found


def columns(texts: list[str] | None) -> dict[str, str]:
    """Role to column, as given with ``--column``."""
    return pairs("--column", "ROLE=NAME", texts)
