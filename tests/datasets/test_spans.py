"""Series whose steps are columns of a table."""

import numpy as np
import pandas as pd
import pytest

from recurra.datasets.columns import Rows, rows_of
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, InputError, UnknownNameError

ROLES = ("series", "label")
WIDE = {"who": ["a", "b"], "t1": ["1", "4"], "t2": ["2", " "], "t3": ["0.5", ""], "label": ["up", "down"]}


def rows(columns: dict[str, list[object]], chosen: dict[str, str] | None = None, **familiar: str) -> Rows:
    return rows_of(frame_of(columns), "f.csv", ROLES, chosen or {}, familiar)


def test_a_span_is_a_series_and_empty_cells_at_its_end_make_it_shorter() -> None:
    found = rows(WIDE, {"series": "t1:t3"})
    assert [row.tolist() for row in found.frame["series"]] == [[[1.0], [2.0], [0.5]], [[4.0]]]
    assert found.columns == {"series": "t1:t3", "label": "label"}
    assert found.notes == []


def test_several_spans_are_channels() -> None:
    table = {"x1": ["1", "5"], "x2": ["2", "6"], "y1": ["3", "7"], "y2": ["4", "8"], "class": ["a", "b"]}
    found = rows(table, {"series": "x1:x2,y1:y2"})
    assert found.frame["series"].iloc[0].tolist() == [[1.0, 3.0], [2.0, 4.0]]


def test_a_table_of_numbers_is_guessed_to_be_windows_and_known_again() -> None:
    table = {**{f"t{i}": [f"{i}.5", "" if i > 2 else 1] for i in range(8)}, "label": ["up", "down"]}
    found = rows(table)
    assert found.columns == {"series": "t0:t7", "label": "label"}
    assert "series is column 't0:t7'" in found.notes[0]
    alone = rows_of(frame_of(table), "f.csv", ("series",), {}, found.columns)
    assert [len(row) for row in alone.frame["series"]] == [8, 3]
    assert alone.notes == []


def test_a_frame_of_numbers_is_read_as_it_is() -> None:
    frame = pd.DataFrame(np.arange(16.0).reshape(2, 8), columns=list("abcdefgh")).assign(y=["u", "v"])
    found = rows({str(name): list(frame[name]) for name in frame})
    assert found.frame["series"].iloc[1].tolist() == [[float(i)] for i in range(8, 16)]
    with pytest.raises(InputError, match="which column is the series"):
        rows({"time": [0, 1], "ax": [0.5, 0.25], "label": ["u", "v"]})


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(UnknownNameError, match="t9"):
        rows(WIDE, {"series": "t1:t9"})
    with pytest.raises(DataError, match=r"column 't1' stands before 't3'"):
        rows(WIDE, {"series": "t3:t1"})
    with pytest.raises(DataError, match=r"f\.csv, column t2, row 2: expected a number, got 'x'"):
        rows({**WIDE, "t2": ["2", "x"]}, {"series": "t1:t3"})
    with pytest.raises(DataError, match=r"row 1, column t2: a number is missing"):
        rows({**WIDE, "t2": ["", "1"]}, {"series": "t1:t3"})
    with pytest.raises(DataError, match=r"column t2: expected finite numbers, got inf"):
        rows({**WIDE, "t2": ["inf", "1"]}, {"series": "t1:t3"})
    with pytest.raises(DataError, match="have 2 and 1 columns"):
        rows(WIDE, {"series": "t1:t2,t3:t3"})
    with pytest.raises(InputError, match="which column is the series"):
        rows({**WIDE, "who": ["a", "b"]})


def test_rows_of_empty_cells_are_left_out_and_counted() -> None:
    found = rows({**WIDE, "t1": ["1", ""]}, {"series": "t1:t3"})
    assert len(found.frame) == 1
    assert found.notes == ["f.csv: 1 of 2 rows left out: 1 without series"]


def test_the_cell_that_is_missing_infinite_or_no_number_is_named() -> None:
    table = {**{f"t{i}": [f"{i}.5"] * 20 for i in range(8)}, "label": ["up", "down"] * 10}

    def with_cell(value: str) -> dict[str, list[object]]:
        return {**table, "t3": [*table["t3"][:4], value, *table["t3"][5:]]}

    with pytest.raises(DataError, match=r"f\.csv, row 5, column t3: expected a number, .* from t0 to t7, got 'x1'"):
        rows(with_cell("x1"))
    with pytest.raises(DataError, match=r"f\.csv, row 5, column t3: a number is missing; fill it"):
        rows(with_cell(""))
    with pytest.raises(DataError, match=r"f\.csv, row 5, column t3: expected finite numbers, got inf"):
        rows(with_cell("inf"))
