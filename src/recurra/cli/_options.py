"""Options that several commands have."""

from typing import Annotated

import typer

from recurra.errors import InputError

Columns = Annotated[
    list[str] | None,
    typer.Option("--column", metavar="ROLE=NAME", help="The column of a role, e.g. text=review. Repeatable."),
]


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
