"""Series whose steps stand side by side, a column each, as tables of windows mostly have them."""

from collections.abc import Collection, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any

from recurra.errors import DataError, UnknownNameError

if TYPE_CHECKING:
    import pandas as pd

# A table with fewer columns of numbers is rather one of a step a row, which is no table of windows.
LEAST_GUESSED = 8
# Where no more cells than this share are no numbers, they are mistakes.
FEW_WRONG = 0.01


def joined(table: "pd.DataFrame", name: str, spans: str) -> "pd.DataFrame":
    """The table with one more column, called ``spans``, of arrays [T, I]; the columns that it is made of are gone.

    spans: ``FIRST:LAST`` is every column from one to the other, a step each; several, with commas between them, are
    channels. Empty cells at the end of a row make a shorter series, and a row of them none. Raises UnknownNameError for
    a column that is not there, DataError, naming row and column, for what is no number and for channels that have not
    as many columns.
    """
    import numpy as np
    import pandas as pd

    from recurra.arrays import not_finite

    order = list(table.columns)
    channels = [_span(order, name, span) for span in spans.split(",")]
    if len({len(channel) for channel in channels}) > 1:
        counts = " and ".join(str(len(channel)) for channel in channels)
        raise DataError(f"{name}: the channels of {spans} have {counts} columns; expected as many steps in each")
    values = np.stack(
        [np.stack([_numbers(table[c], f"{name}, column {c}") for c in channel], 1) for channel in channels], 2
    )
    there = ~np.isnan(values).all(2)
    ends = np.where(there.any(1), values.shape[1] - there[:, ::-1].argmax(1), 0)
    used = {column for channel in channels for column in channel}
    rest = table.drop(columns=[column for column in order if column in used])
    wrong = ~np.isfinite(values) & (np.arange(values.shape[1])[:, None] < ends[:, None, None])
    if wrong.any():
        row, step, channel = (int(i[0]) for i in wrong.nonzero())
        where = f"{name}, row {table.index[row]}, column {channels[channel][step]}"
        raise DataError(f"{where}: {not_finite(values[row, step, channel])}")
    cells = [row[:end] if end else None for row, end in zip(values, ends.tolist(), strict=True)]
    return rest.assign(**{spans: pd.Series(cells, index=table.index, dtype=object)})


def guessed(table: "pd.DataFrame", name: str, others: Collection[str]) -> str | None:
    """The span of all columns but ``others``, where they are many, stand together and hold nothing but numbers.

    Raises DataError, naming row and column, where nearly all cells are numbers.
    """
    left = [column for column in table.columns if column not in others]
    order = list(table.columns)
    if len(left) < LEAST_GUESSED or order.index(left[-1]) - order.index(left[0]) + 1 != len(left):
        return None
    wrong = [(row, column, value) for column in left for row, value in table[column].items() if not _is_number(value)]
    if wrong and len(wrong) <= FEW_WRONG * len(left) * len(table):
        row, column, value = wrong[0]
        raise DataError(
            f"{name}, row {row}, column {column}: expected a number, as in nearly all cells from {left[0]} to "
            f"{left[-1]}, got {str(value)[:40]!r}; correct it, or name the series with --column series=FIRST:LAST"
        )
    return f"{left[0]}:{left[-1]}" if not wrong else None


def is_span(columns: Sequence[str], spans: str | None) -> bool:
    """Whether this names columns from one to another, and is no column's own name."""
    return bool(spans) and spans not in columns and ":" in str(spans)


def _span(order: list[str], name: str, span: str) -> list[str]:
    first, _, last = (part.strip() for part in span.partition(":"))
    for column in (first, last):
        if column not in order:
            raise UnknownNameError(f"column in {name}", column, order)
    begin, end = order.index(first), order.index(last)
    if end < begin:
        raise DataError(f"{name}: column {last!r} stands before {first!r}; expected FIRST:LAST")
    return order[begin : end + 1]


def _numbers(column: "pd.Series[Any]", where: str) -> Any:
    import numpy as np

    found = np.empty(len(column))
    for i, (row, value) in enumerate(column.items()):
        try:
            found[i] = np.nan if is_missing(value) else float(value)
        except (TypeError, ValueError):
            raise DataError(f"{where}, row {row}: expected a number, got {str(value)[:40]!r}") from None
    return found


def is_missing(value: Any) -> bool:
    """Whether a cell is empty."""
    return value is None or (isinstance(value, str) and not value.strip())


def _is_number(value: Any) -> bool:
    try:
        return is_missing(value) or (isinstance(value, str | Real) and float(value) is not None)
    except ValueError:
        return False
