"""Tables in the long form as series on even grids."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.datasets.frequency import Frequency
from recurra.datasets.panel import Panel, panel_of
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, InputError, UnknownNameError


def panel(columns: dict[str, list[object]], horizon: int = 2, frequency: str = "", **roles: str) -> Panel:
    return panel_of({"train": frame_of(columns)}, "f.csv", roles, frequency, horizon)


def times(freq: str, count: int = 8, start: str = "2024-01-31") -> list[str]:
    return [str(t) for t in pd.date_range(start, periods=count, freq=freq)]


@pytest.mark.parametrize(
    ("freq", "expected", "season"),
    [("15min", "15min", 96), ("h", "h", 24), ("D", "D", 7), ("W", "W", 52), ("ME", "M", 12), ("MS", "M", 12),
     ("QS", "Q", 4), ("YS", "Y", 1), ("B", "B", 5), ("2h", "2h", 12)],
)  # fmt: skip
def test_finds_the_frequency_and_goes_on_with_it(freq: str, expected: str, season: int) -> None:
    given_times = times(freq, 10)
    found = panel({"ds": given_times[:-2], "y": list(range(8))})
    assert str(found.frequency) == expected
    assert found.frequency.season == season
    np.testing.assert_array_equal(found.lines[0].times, np.array(given_times, "datetime64[s]"))
    assert found.known == [8]


@given(st.permutations(range(12)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    rows = {"unique_id": ["a"] * 6 + ["b"] * 6, "ds": list(range(6)) * 2, "y": list(range(12))}
    one, other = panel(rows), panel({name: [values[i] for i in order] for name, values in rows.items()})
    assert [a.digest for a in one.lines] == [b.digest for b in other.lines]
    assert any("sorted" in note for note in other.notes) == (order != list(range(12)))


def test_gaps_and_empty_values_are_missing_and_counted() -> None:
    found = panel({"ds": ["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"], "y": ["1", "", "3", "4"]})
    np.testing.assert_array_equal(found.lines[0].y, [1, np.nan, np.nan, np.nan, 3, 4, np.nan, np.nan])
    assert "f.csv: 2 steps in 1 series have no row; they are read as missing" in found.notes
    assert "f.csv: 1 rows have no y; they are read as missing, neither filled nor counted" in found.notes


def test_rows_after_the_last_y_are_to_come() -> None:
    rows = {"ds": [1, 2, 3, 4], "y": [1.0, 2.0, None, None], "promo": [0, 1, 1, 0]}
    found = panel(rows, future="promo")
    assert found.known == [2]
    assert found.lines[0].future[:, 0].tolist() == [0, 1, 1, 0]


def test_repeated_rows_are_left_out_and_contradicting_ones_refused() -> None:
    found = panel({"ds": [1, 2, 2, 3], "y": [1, 2, 2, 3]})
    assert found.lines[0].y[:3].tolist() == [1, 2, 3]
    assert "f.csv: 1 rows that repeat another one are left out" in found.notes
    with pytest.raises(DataError, match="series series, 2: two rows for one time with different values"):
        panel({"ds": [1, 2, 2, 3], "y": [1, 2, 5, 3]})


def test_different_frequencies_are_named() -> None:
    ds = times("D", 5) + times("h", 5)
    with pytest.raises(InputError, match="a has a step each day, b each hour"):
        panel({"unique_id": ["a"] * 5 + ["b"] * 5, "ds": ds, "y": [1] * 10})


def test_a_time_between_two_steps_is_named() -> None:
    ds = [*times("D", 5, "2024-01-01"), "2024-01-06 07:00"]
    with pytest.raises(DataError, match="2024-01-06T07:00:00: lies between two steps of one day"):
        panel({"ds": ds, "y": [1] * 6})
    assert panel({"ds": ds, "y": [1] * 6}, frequency="rows").known == [6]


def test_hours_with_a_zone_are_even_where_clocks_are_changed() -> None:
    utc = pd.date_range("2024-10-26 20:00", periods=8, freq="h", tz="UTC")
    local = [str(t) for t in utc.tz_convert("Europe/Berlin")]
    found = panel({"ds": local, "y": list(range(8))})
    assert found.known == [8]
    assert "f.csv: times with a time zone are read as UTC" in found.notes
    assert found.lines[0].times[0] == np.datetime64("2024-10-26T20:00:00")
    with pytest.raises(DataError, match="give the times with their zone"):
        panel({"ds": [t[:19] for t in [*local, local[-1]]], "y": [*range(8), 99]})


def test_days_with_a_zone_are_the_days_of_their_clock() -> None:
    days = pd.date_range("2024-10-25", periods=6, freq="D", tz="Europe/Berlin")
    found = panel({"ds": list(days), "y": list(range(6))})
    assert str(found.frequency) == "D"
    assert found.lines[0].times[0] == np.datetime64("2024-10-25")
    assert found.known == [6]


@pytest.mark.parametrize("wrong", ["inf", "x", float("inf")])
def test_what_is_no_finite_number_is_named_with_its_row(wrong: object) -> None:
    with pytest.raises(DataError, match=r"f.csv, row 2, column y: expected a finite number, or nothing, got"):
        panel({"ds": [1, 2, 3], "y": [1, wrong, 3]}, y="y")


def test_a_time_that_is_none_is_named_with_its_row() -> None:
    with pytest.raises(DataError, match=r"f.csv, row 2, column ds: expected a time such as"):
        panel({"ds": ["2024-01-01", "someday", "2024-01-03"], "y": [1, 2, 3]})


def test_series_without_a_number_are_left_out_and_constant_ones_counted() -> None:
    rows = {"unique_id": ["a", "a", "b", "b"], "ds": [1, 2, 1, 2], "y": [None, None, 3, 3]}
    found = panel(rows)
    assert [line.id for line in found.lines] == ["b"]
    assert "f.csv: 1 series without any y left out: a" in found.notes
    assert "f.csv: 1 series are constant" in found.notes
    with pytest.raises(DataError, match="no series has a single number"):
        panel({"ds": [1, 2], "y": [None, None]})


def test_guesses_columns_and_says_so() -> None:
    rows = {"Date": times("D", 4) * 2, "store": ["a"] * 4 + ["b"] * 4, "sales": list(range(8))}
    rows |= {"size": [1] * 4 + [2] * 4, "visitors": list(range(8)), "empty": [None] * 8, "note": list("abcdefgh")}
    found = panel(rows)
    assert found.columns == {
        "ds": "Date", "unique_id": "store", "y": "sales", "past": "visitors", "static": "size",
    }  # fmt: skip
    said = " ".join(found.notes)
    assert "y is column 'sales'" in said
    assert "column 'empty' is empty" in said
    assert "column 'note' is neither" in said
    with pytest.raises(UnknownNameError, match="did you mean 'sales'"):
        panel(rows, y="salse")


def test_several_columns_are_several_series() -> None:
    found = panel({"ds": [1, 2], "left": [1, 2], "right": [3, 4]}, y="left,right")
    assert [(line.id, line.y[:2].tolist()) for line in found.lines] == [("left", [1, 2]), ("right", [3, 4])]
    with pytest.raises(InputError, match="which column is to be forecast"):
        panel({"ds": [1, 2], "left": [1, 2], "right": [3, 4]})


def test_without_times_steps_are_counted() -> None:
    found = panel({"y": [1, 2, 3]})
    assert found.lines[0].times.tolist() == [0, 1, 2, 3, 4]
    assert any("no column of times" in note for note in found.notes)


def test_a_row_without_its_series_is_named() -> None:
    assert panel({"unique_id": ["NA", "NA", "null"], "ds": [1, 2, 3], "y": [1, 2, 3]}).lines[0].id == "NA"
    for nothing in ("", None, float("nan"), " "):
        with pytest.raises(
            DataError, match=r"f.csv, row 3, column unique_id: expected the name of a series, got nothing"
        ):
            panel({"unique_id": ["a", "a", nothing], "ds": [1, 2, 3], "y": [1, 2, 3]})


def test_a_static_column_that_changes_is_named_with_its_row() -> None:
    rows = {"unique_id": ["a", "a", "b", "b"], "ds": [1, 2, 1, 2], "y": [1, 2, 3, 4], "kind": ["x", None, "y", "z"]}
    with pytest.raises(DataError, match=r"f.csv, row 4, series b: expected 'y' in column kind, .* got 'z'"):
        panel(rows, static="kind")
    assert "kind" not in panel(rows).columns.get("static", "")
    found = panel({**rows, "kind": [None, "x", "y", "y"], "size": [1, None, 2, 2]}, static="kind,size")
    assert [line.static for line in found.lines] == [("x", 1.0), ("y", 2.0)]


def test_true_and_false_are_one_and_nothing_also_as_text() -> None:
    rows = {"ds": [1, 2, 3, 4], "y": [1, 2, 3, 4]}
    for values in (["True", "false", "", "TRUE"], [True, False, None, True]):
        found = panel({**rows, "open": values})
        assert found.columns["past"] == "open"
        np.testing.assert_array_equal(found.lines[0].past[:4, 0], [1, 0, np.nan, 1])


def test_what_is_left_out_beside_chosen_covariates_is_said() -> None:
    rows = {"ds": [1, 2, 3], "y": [1, 2, 3], "price": [1, 2, 1], "region": ["a", "b", "a"], "promo": [0, 1, 0]}
    found = panel(rows, future="promo")
    assert "f.csv: columns that are not used: price, region" in found.notes
    assert found.columns == {"ds": "ds", "y": "y", "future": "promo"}
    trained = panel_of({"train": frame_of(rows)}, "f.csv", {}, "", 2, {"ds": "ds", "y": "y"})
    assert trained.columns == {"ds": "ds", "y": "y"}
    assert "f.csv: columns that are not used: price, region, promo" in trained.notes


def test_of_two_rows_for_one_time_the_one_with_y_counts() -> None:
    rows = {"ds": [2, 1, 2, 2, 3], "y": [None, 1, 2, None, 3], "promo": [7, 0, 1, 8, 0]}
    found = panel(rows, past="promo")
    assert found.lines[0].y[:3].tolist() == [1, 2, 3]
    assert found.lines[0].past[:3, 0].tolist() == [0, 1, 0]
    assert "f.csv: 2 rows without y left out, as another row of their time has one" in found.notes


def test_each_of_several_y_may_read_what_all_of_them_were() -> None:
    found = panel({"ds": [1, 2, 3], "a": [1, 2, 3], "b": [7, 8, 9]}, y="a,b", past="a,b")
    assert [line.id for line in found.lines] == ["a", "b"]
    for line in found.lines:
        assert line.past[:3].tolist() == [[1, 7], [2, 8], [3, 9]]


def test_a_column_has_one_role() -> None:
    rows = {"ds": [1, 2, 3], "y": [1, 2, 3], "price": [1, 2, 1]}
    with pytest.raises(InputError, match="column 'y' is both y and future"):
        panel(rows, y="y", future="y")
    with pytest.raises(InputError, match="column 'y' is chosen as future; is it not the y"):
        panel(rows, future="y")
    with pytest.raises(InputError, match="column 'price' is both past and future"):
        panel(rows, y="y", future="price", past="price")
    with pytest.raises(InputError, match="expected one column of times, got ds, price"):
        panel({**rows, "ds": [1, 2, 3]}, ds="ds,price")


def test_dates_in_another_order_than_pandas_expects_are_read_in_one() -> None:
    days = [str(day) for day in pd.date_range("2012-01-01", periods=24, freq="MS").strftime("%d/%m/%Y")]
    found = panel({"unique_id": ["a"] * 24 + ["b"] * 24, "ds": days * 2, "y": list(range(48))})
    assert str(found.frequency) == "M"
    assert found.lines[0].times[23] == np.datetime64("2013-12-01")
    assert "f.csv: '01/02/2012' in column ds is 2012-02-01: day first in all its dates" in found.notes


def test_numbers_that_are_dates_are_no_steps_unless_that_is_said() -> None:
    rows = {"ds": [20240130, 20240131, 20240201, 20240202], "y": [1, 2, 3, 4]}
    found = panel(rows)
    assert str(found.frequency) == "D"
    assert found.known == [4]
    assert panel(rows, frequency="1").lines[0].times[0] == 20240130


@pytest.mark.parametrize(
    ("times", "frequency", "expected"),
    [
        (["2024-01-01", "2024-01-08", "2024-01-15", "2024-01-29"], "D", "rows lie 7 steps of one day apart"),
        (["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"], "h", "rows lie 24 steps of one hour apart"),
        (["2024-01-01", "2024-01-02", "2024-01-03"], "1", "times are dates, but modality.frequency is one step"),
        ([1, 2, 3], "D", "times are whole numbers, but modality.frequency is one day; expected one such as 1"),
    ],
)
def test_a_frequency_that_the_times_contradict_is_refused(times: list[object], frequency: str, expected: str) -> None:
    with pytest.raises(InputError, match=expected):
        panel({"ds": times, "y": [1] * len(times)}, frequency=frequency)


def test_weeks_of_a_zone_are_no_days_where_clocks_are_changed() -> None:
    weeks = list(pd.date_range("2024-10-01", periods=9, freq="7D", tz="Europe/Berlin"))
    with pytest.raises(InputError, match="rows lie 7 steps of one day apart"):
        panel({"ds": weeks, "y": [1] * 9}, frequency="D")


@pytest.mark.parametrize(
    ("text", "expected"),
    [("MS", "M"), ("ME", "M"), ("QS", "Q"), ("QE-DEC", "Q"), ("YS", "Y"), ("YE", "Y"), ("A-DEC", "Y"), ("W-SUN", "W"),
     ("1d", "D"), ("1h", "h"), ("H", "h"), ("30m", "30min"), ("30T", "30min"), ("T", "min"), ("1mo", "M"), ("1w", "W"),
     ("1", "step"), ("7", "7step"), ("2W-MON", "2W")],
)  # fmt: skip
def test_frequencies_as_pandas_and_polars_write_them(text: str, expected: str) -> None:
    assert str(Frequency.parse(text)) == expected


@pytest.mark.parametrize("wrong", ["x", "0h", "2B", "h5", "", "D-SUN", "W-sun"])
def test_what_is_no_frequency_is_refused(wrong: str) -> None:
    with pytest.raises(InputError, match=r"modality.frequency: expected rows, or a number and one of"):
        Frequency.parse(wrong)
