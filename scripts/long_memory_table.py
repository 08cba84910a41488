"""Prints the table of docs/explanation/long-memory.md from what ``recurra compare --json`` printed.

recurra compare regression adding --config recipes/adding.toml --cells all --parameters 5000 --json > adding.jsonl
.venv/bin/python scripts/long_memory_table.py adding.jsonl parity.jsonl digits.jsonl
"""

import json
import sys
from pathlib import Path
from typing import Any

# Of each file's metrics the one that the table shows, and how.
COLUMNS = {
    "adding": ("adding, mean squared error", "mse", "{:.2g}"),
    "copy-memory": ("copy memory, nats a step", "nats_per_token", "{:.4f}"),
    "parity": ("parity, accuracy", "accuracy", "{:.1%}"),
    "digits": ("digits, accuracy", "accuracy", "{:.1%}"),
}


def table(files: list[Path]) -> str:
    """One line a cell; a cell that failed, or is in no file, has a dash."""
    found = {file.stem: _read(file) for file in files}
    cells = sorted({cell for rows in found.values() for cell in rows})
    heads = [f"{COLUMNS[name][0]} (H)" for name in found]
    lines = [f"| cell | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for cell in cells:
        entries = [_entry(COLUMNS[name][1], COLUMNS[name][2], rows.get(cell)) for name, rows in found.items()]
        lines.append(f"| {cell} | {' | '.join(entries)} |")
    return "\n".join(lines)


def _read(file: Path) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    return {row["cell"]: row for row in rows}


def _entry(metric: str, form: str, row: dict[str, Any] | None) -> str:
    if row is None or not row["metrics"]:
        return "-"
    return f"{form.format(row['metrics'][metric]).replace('%', ' %')} ({row['hidden']})"


if __name__ == "__main__":
    print(table([Path(name) for name in sys.argv[1:]]))
