"""Dates in any order of day and month, numbers that are dates, and numbers that are none."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.datasets.times import Times, counted, look_like_times, moments
from recurra.errors import DataError


def column(values: list[object], first: int = 1) -> "pd.Series[object]":
    return pd.Series(values, dtype=object, name="ds", index=pd.RangeIndex(first, first + len(values)))


def read(values: list[object], frequency: str = "") -> Times:
    return moments(column(values), "f.csv", frequency)


def dates(freq: str, count: int, form: str, start: str = "2012-01-01") -> tuple[list[object], list[str]]:
    days = pd.date_range(start, periods=count, freq=freq)
    return list(days.strftime(form)), list(days.strftime("%Y-%m-%d"))


FORMS = ["%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d/%m/%y", "%m/%d/%y", "%y/%m/%d"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("freq", ["D", "W", "B"])
def test_one_value_above_twelve_settles_the_order_of_all(form: str, freq: str) -> None:
    given_dates, expected = dates(freq, 60, form)
    found = read(given_dates)
    assert found.utc.astype("datetime64[D]").astype(str).tolist() == expected
    assert len(found.notes) == 1


@given(st.permutations(range(120)))
def test_monthly_dates_are_read_so_that_steps_are_even_in_any_order_of_rows(order: list[int]) -> None:
    given_dates, expected = dates("MS", 120, "%d/%m/%Y")
    found = read([given_dates[i] for i in order] * 2)
    assert found.utc[:120].astype("datetime64[D]").astype(str).tolist() == [expected[i] for i in order]
    assert "day first in all its dates" in found.notes[0]


def test_dots_mean_the_day_is_first() -> None:
    assert read(["01.02.2024", "03.02.2024"]).utc.astype("datetime64[D]").astype(str).tolist() == [
        "2024-02-01", "2024-02-03",
    ]  # fmt: skip


@pytest.mark.parametrize("form", ["%d/%m/%y", "%m/%d/%y", "%y/%m/%d", "%d.%m.%y"])
def test_years_of_two_digits_are_few_also_where_steps_are_not_even(form: str) -> None:
    days = pd.date_range("2023-12-15", periods=90, freq="B").delete([3, 7, 20])
    assert read(list(days.strftime(form))).utc.astype("datetime64[D]").tolist() == [day.date() for day in days]


def test_the_time_of_day_and_its_zone_stay() -> None:
    found = read(["31/01/2024 23:30", "01/02/2024 00:30"])
    assert found.utc.astype(str).tolist() == ["2024-01-31T23:30:00", "2024-02-01T00:30:00"]
    zoned = read(["31/01/2024 23:30+01:00", "01/02/2024 00:30+01:00"])
    assert zoned.utc.astype(str).tolist() == ["2024-01-31T22:30:00", "2024-01-31T23:30:00"]
    assert zoned.wall.astype(str).tolist() == ["2024-01-31T23:30:00", "2024-02-01T00:30:00"]
    mixed = read(["31/01/2024 23:30+01:00", pd.Timestamp("2024-02-01 00:30+01:00")])
    assert mixed.wall.tolist() == zoned.wall.tolist()
    forms = ["2024-01-31T22:30:00.000Z"], ["2024-01-31 23:30:00+01"], ["2024-01-31T23:30+0100"]
    assert [read(form).utc.astype(str).tolist() for form in forms] == [["2024-01-31T22:30:00"]] * 3
    assert [str(read(form).wall[0])[11:13] for form in forms] == ["22", "23", "23"]
    for plain in (["1949-01", "1949-02"], ["19490101", "19490201"], ["1949-01-01", "1949-02-01"]):
        assert read(plain).wall.astype("datetime64[D]").astype(str).tolist() == ["1949-01-01", "1949-02-01"]


def test_dates_in_both_orders_are_refused_naming_two_rows() -> None:
    expected = r"f.csv, row 3, column ds: '01/31/2024' has the month first, but '31/01/2024' in row 2 the day first"
    with pytest.raises(DataError, match=expected):
        read(["01/02/2024", "31/01/2024", "01/31/2024", "30/01/2024"])


def test_dates_that_may_be_either_are_refused_unless_the_frequency_tells() -> None:
    with pytest.raises(DataError, match="row 1, column ds: '01/02/2024' may be 2024-02-01 or 2024-01-02, and no other"):
        read(["01/02/2024", "01/03/2024"])
    assert read(["01/02/2024", "01/03/2024"], "MS").utc.astype("datetime64[D]").astype(str)[1] == "2024-03-01"
    assert read(["01/02/2024", "01/03/2024"], "D").utc.astype("datetime64[D]").astype(str)[1] == "2024-01-03"
    assert read(["01/01/2023", "01/01/2024"]).utc.astype("datetime64[Y]").astype(str).tolist() == ["2023", "2024"]


def test_rows_of_several_tables_are_named_also_where_they_have_the_same_number() -> None:
    with pytest.raises(DataError, match=r"row 2, column ds: expected a time such as .* got 'someday'"):
        moments(pd.concat([column(["2024-01-01", "2024-01-02"]), column(["2024-01-03", "someday"])]), "f.csv")


@pytest.mark.parametrize("wrong", ["31/31/2024", "someday", "2023-02-30", ""])
def test_what_is_no_time_is_named_with_its_row(wrong: str) -> None:
    with pytest.raises(DataError, match=r"f.csv, row 3, column ds: expected a "):
        read(["30/01/2024", "31/01/2024", wrong, "01/02/2024"])


@pytest.mark.parametrize("form", ["%b %Y", "%d-%b-%Y", "%B %d, %Y", "%Y/%m/%d", "%Y.%m.%d", "%m/%Y"])
def test_other_ways_of_writing_dates(form: str) -> None:
    given_dates, expected = dates("MS", 30, form)
    found = read(given_dates)
    assert found.utc.astype("datetime64[D]").astype(str).tolist() == expected
    assert found.notes == []


def test_the_year_first_needs_no_note() -> None:
    assert read(["2024-01-31", "2024-02-01"]).notes == []
    assert read([pd.Timestamp("2024-01-31")]).notes == []


def test_eight_digits_are_dates() -> None:
    found = counted(column([20240131, 20240201]), "f.csv")
    assert found.utc.astype("datetime64[D]").astype(str).tolist() == ["2024-01-31", "2024-02-01"]
    assert found.notes == ["f.csv: the numbers in column ds are read as dates of eight digits"]
    with pytest.raises(DataError, match=r"row 3, column ds: expected a date of eight digits, .* got 20230230"):
        counted(column([20230101, 20230102, 20230230]), "f.csv")


@pytest.mark.parametrize(("unit", "per_second"), [("seconds", 1), ("milliseconds", 10**3), ("nanoseconds", 10**9)])
def test_what_counts_from_1970_is_a_moment(unit: str, per_second: int) -> None:
    hours = np.arange(1_700_000_040, 1_700_090_000, 3_600)
    found = counted(column(list(hours * per_second)), "f.csv")
    np.testing.assert_array_equal(found.utc, hours.astype("datetime64[s]"))
    assert found.notes == [f"f.csv: the numbers in column ds are read as {unit} since 1970"]


@pytest.mark.parametrize(
    "numbers",
    [
        range(30),
        range(1990, 2021),
        range(10**6, 10**6 + 50),
        range(20_230_000, 20_230_060),
        range(10**9, 10**9 + 9),
        [],
    ],
)
def test_what_just_counts_stays_a_number(numbers: range) -> None:
    found = counted(column(list(numbers)), "f.csv")
    assert found.utc.tolist() == list(numbers)
    assert found.notes == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2024-01-31", "2024-02-01"], True),
        (["31/01/2024 10:00", "01/02/2024 11:00"], True),
        (["Jan 2024", "Feb 2024"], True),
        ([pd.Timestamp("2024-01-31")], True),
        (["may", "june"], False),
        (["item-2012", "item-2013"], False),
        (["12-34-5678", "45-77-1234"], False),
        ([20240131, 20240201], False),
        ([1.5, 2.5], False),
        ([], False),
    ],
)
def test_a_column_of_dates_is_known_by_its_values(values: list[object], expected: bool) -> None:
    assert look_like_times(values) is expected
