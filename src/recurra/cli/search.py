"""recurra search"""

from pathlib import Path
from typing import Annotated

import typer

from recurra.cli._options import Columns, columns

EXAMPLE = 'recurra search runs/search "heat in thin plates" --data articles.csv --hybrid'

# Characters of a document that a line shows.
SHOWN = 100


def search(
    run: Annotated[Path, typer.Argument(help="The run folder of the task search.")],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    data: Annotated[
        str | None, typer.Option(help="Documents to search: a file, a folder or a data set's name. Needed once.")
    ] = None,
    index: Annotated[Path | None, typer.Option(help="The index's folder; none: index in the run folder.")] = None,
    top: Annotated[int, typer.Option(help="How many documents to show.")] = 10,
    hybrid: Annotated[bool, typer.Option("--hybrid", help="Fuse with BM25's ranking by the words in common.")] = False,
    column: Columns = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a document.")] = False,
) -> None:
    """Finds the documents that are nearest to a query.

    With --data an index is made and kept, unless there is one of the same documents already; later searches need no
    --data. Identical documents without ids are kept once.
    """
    from recurra import runs
    from recurra.cli._output import figure, print_json, print_table, say
    from recurra.errors import InputError

    if column and not data:
        raise InputError("--column names a column of --data; give both")
    trained = runs.load(run)
    if data:
        trained.index(data, columns(column), folder=index, tell=say)
    hits = trained.search(query, top, hybrid=hybrid, folder=index)
    if json:
        for place, hit in enumerate(hits, 1):
            print_json({"rank": place, **vars(hit)})
        return
    rows = [(str(place), figure(hit.score), hit.id, _short(hit.text)) for place, hit in enumerate(hits, 1)]
    print_table(("", "score", "id", "text"), rows)


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= SHOWN else text[: SHOWN - 1].rstrip() + "…"
