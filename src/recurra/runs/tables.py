"""Predictions as a table, and as a file: CSV, TSV, JSON lines or Parquet."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.arrays import readable
from recurra.errors import InputError, MissingFileError
from recurra.runs.forecasts import Level, sides_of, values_of
from recurra.runs.long_form import Names
from recurra.runs.run import Run

if TYPE_CHECKING:
    import pandas as pd

ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
USUAL = (80,)


def table_of(run: Run, results: Sequence[dict[str, Any]], level: Level = None) -> "pd.DataFrame":
    """Forecasts: a row for each step of each series, ``unique_id, ds, Recurra`` and the ends of the intervals of
    ``level`` percent (None: 80, where it was learnt); times with a zone in UTC. Else: a row for each input, and a
    column for each value, those of a nested one called ``probabilities.positive``.

    results: what ``Run.predict`` says, with each its ``input`` but for forecasts. Raises InputError for intervals that
    were not learnt, and for any where there are no forecasts.
    """
    import pandas as pd

    if run.task.output != "forecast":
        if level is not None:
            raise InputError(f"level: intervals are for forecasts, not for {run.task.name}")
        return pd.DataFrame([_flat({**result, "input": readable(result["input"])}) for result in results])
    sides = sides_of(run.model.head, level, usual=USUAL)
    times = pd.Series([time for result in results for time in result["times"]])
    named: dict[str, Any] = {
        Names.id: [result["id"] for result in results for _ in result["times"]],
        Names.time: times if pd.api.types.is_numeric_dtype(times) else pd.to_datetime(times),
    }
    return pd.DataFrame(named | values_of(results, sides, run.config.head.horizon))


def writable(path: Path) -> Path:
    """A path that ``write_table`` takes. Raises InputError or MissingFileError."""
    if path.suffix.lower() not in ENDINGS:
        raise InputError(f"{path}: expected a name that ends in {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}")
    if not path.absolute().parent.is_dir():
        raise MissingFileError(f"{path.parent}: no such folder")
    return path


def write_table(table: "pd.DataFrame", path: Path) -> None:
    """By the path's ending; nested values are JSON where the form has none. Another file of the name is replaced."""
    ending = writable(path).suffix.lower()
    if ending in (".parquet", ".pq"):
        table.to_parquet(path, index=False)
    elif ending in (".csv", ".tsv"):
        plain = table.map(lambda v: json.dumps(v, ensure_ascii=False) if isinstance(v, list | dict) else v)
        plain.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    else:
        lines = table.to_json(orient="records", lines=True, date_format="iso", double_precision=15, force_ascii=False)
        path.write_text(lines, encoding="utf-8")


def _flat(result: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in result.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found
