"""recurra predict"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from recurra.cli._options import Columns, columns
from recurra.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

EXAMPLE = 'recurra predict runs/reviews "what a film"'


def predict(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    inputs: Annotated[list[str] | None, typer.Argument(metavar="INPUT ...", help="Texts; none: read lines.")] = None,
    file: Annotated[Path | None, typer.Option(help="A file with one input a row.")] = None,
    column: Columns = None,
    explain: Annotated[bool, typer.Option("--explain", help="Also say what a prediction rests on.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object an input.")] = False,
    level: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="forecast: percent that each interval holds; none: 80.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write a table: .csv, .tsv, .jsonl or .parquet.")] = None,
) -> None:
    """Predicts for each input. Without INPUT or --file, standard input is read, one text a line."""
    from recurra import runs
    from recurra.arrays import readable
    from recurra.cli._output import print_json, say
    from recurra.cli._reasons import print_reason
    from recurra.runs.tables import table_of, writable, write_table

    if inputs and file:
        raise InputError("give inputs or --file, not both")
    if json and (out or level):
        raise InputError("give --json, which has every quantile, or --out and --level, not both")
    levels = None if level is None else _numbers(level)
    trained = runs.load(run)
    if trained.model.modality.timed and not file:
        raise InputError(f"{run}: forecasts need the series as far as they are known; name their table with --file")
    if out:
        writable(out)
    if file:
        results = trained.predict_file(file, columns(column), explain=explain, tell=say)
    else:
        rows = inputs or [line.rstrip("\n") for line in sys.stdin]
        _check(rows, trained.model.modality.role)
        given = zip(rows, trained.predict(rows, explain=explain), strict=True)
        results = [{"input": row, **result} for row, result in given]
    if out:
        table = table_of(trained, results, levels)
        write_table(table, out)
        say(f"{out}: {len(table):,} rows, {', '.join(table.columns)}")
    elif json:
        for result in results:
            print_json(result)
    elif levels or trained.model.modality.timed:
        _print_steps(table_of(trained, results, levels), [time for one in results for time in one["times"]])
    else:
        for result in results:
            print("\t".join([_answer(result), *([result["id"]] if "id" in result else []), readable(result["input"])]))
            if explain:
                print_reason(result)


def _check(rows: list[str], role: str) -> None:
    """Raises InputError for what is rather a file's name, and for nothing where that is no text."""
    for number, row in enumerate(rows, 1):
        if os.path.isfile(row):  # which answers for what could be no path
            raise InputError(f"{row}: a file; its rows are predicted with --file {row}")
        if role != "text" and not row.strip():
            raise InputError(f"input {number}: expected {role}, got nothing")


def _print_steps(table: "pd.DataFrame", times: list[Any]) -> None:
    """A line for each step, with tabs: the series, the time, the forecast and each interval's ends. Names go apart."""
    from recurra.cli._output import say

    say("\t".join(table.columns))
    id, _, *numbers = (table[name] for name in table)
    for name, time, *values in zip(id, times, *numbers, strict=True):
        print("\t".join([name, str(time), *(f"{value:.6g}" for value in values)]))


def _numbers(text: str) -> list[float]:
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--level {text}: expected numbers with commas between them") from None


def _answer(result: dict[str, Any]) -> str:
    """A prediction in a few words: a text, tags, numbers, a label or the likeliest next tokens, with probabilities."""
    if "text" in result:
        return str(result["text"])
    if "tags" in result:
        tokens = result.get("tokens", [""] * len(result["tags"]))
        return " ".join(t if tag == "O" else f"{t}/{tag}" for t, tag in zip(tokens, result["tags"], strict=True))
    if "number" in result:
        return "\t".join(f"{result[name]:.6g}" for name in ("number", "low", "high") if name in result)
    if "label" in result:
        return f"{result['label']}\t{result['probability']:.3f}"
    if "alarms" in result:
        times = result.get("times")
        named = [f"{step} ({time})" for step, time in zip(result["alarms"], times, strict=True)] if times else None
        steps = ", ".join(named or map(str, result["alarms"]))
        return f"alarms at steps {steps} of {len(result['score'])}" if steps else f"no alarm in {len(result['score'])}"
    if "vector" in result:
        return " ".join(f"{element:.4g}" for element in result["vector"])
    found = result.get("blanks") or result.get("words") or [result["next"]]
    return " | ".join(" ".join(f"{n['token']!r}:{n['probability']:.3f}" for n in word) for word in found)
