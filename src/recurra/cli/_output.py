"""Tables and numbers for people, on standard output; anything else goes to standard error."""

import json
import sys
from collections.abc import Sequence
from typing import Any


def print_json(value: Any) -> None:
    """One line of JSON on standard output; numpy's numbers and arrays are plain numbers and lists of them."""
    print(json.dumps(value, ensure_ascii=False, default=lambda numbers: numbers.tolist()), flush=True)


def say(sentence: str) -> None:
    """A sentence for the person, on standard error."""
    print(sentence, file=sys.stderr, flush=True)


def print_table(columns: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    """A table; in a pipe each row stays on one line, without colours."""
    from rich.console import Console
    from rich.table import Table

    table = Table(*columns, box=None, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*row)
    console = Console()
    if not console.is_terminal:
        console = Console(width=10_000)
    console.print(table)


def figure(value: float) -> str:
    """A metric with four significant digits."""
    return f"{value:.4g}" if abs(value) < 1000 else f"{value:,.1f}"


def duration(seconds: float) -> str:
    """Minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s" if minutes else f"{rest}s"
