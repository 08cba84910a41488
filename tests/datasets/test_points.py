"""Tables with a point in each row: what is gathered, put in order, filled and counted, and what is named instead."""

import numpy as np
import pandas as pd
import pytest

from recurra.datasets.load import DataConfig, load
from recurra.datasets.points import cut_in_time, gathered
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, UnknownNameError


def points(columns=None, **table):
    return gathered(frame_of(table), "f.csv", columns or {})


def test_series_are_gathered_by_id_and_put_in_order_of_time():
    found = points(
        unique_id=["a", "b", "a", "b"],
        ds=["2024-01-01 02:00", "2024-01-01", "2024-01-01 01:00", "2024-01-02"],
        y=["1", "10", "2", "20"],
    )
    assert [series[:, 0].tolist() for series in found.table["series"]] == [[2, 1], [10, 20]]
    assert list(found.table["id"]) == ["a", "b"]
    assert [at.tolist() for at in found.places] == [[2, 0], [1, 3]]
    assert found.channels == "y"
    assert any("2 points put in order of time" in note for note in found.notes)


def test_what_is_missing_is_filled_and_what_is_odd_is_counted():
    found = points(timestamp=[1, 2, 2, 3, 9, 10], value=["", "4", None, "5", "6", float("nan")])
    assert found.table["series"][1][:, 0].tolist() == [4, 4, 4, 5, 6, 6]
    text = " ".join(found.notes)
    assert "3 missing numbers filled" in text
    assert "1 points with the time of the one before, all of them kept" in text
    assert "1 gaps in time" in text


def test_daylight_saving_and_zones_do_not_turn_time_back():
    times = ["2024-10-27T01:30:00+02:00", "2024-10-27T02:30:00+02:00", "2024-10-27T02:30:00+01:00"]
    found = points(time=times, value=[1, 2, 3])
    assert found.table["series"][1][:, 0].tolist() == [1, 2, 3]
    assert not any("order" in note or "time of the one" in note for note in found.notes)


def test_channels_are_all_columns_of_numbers_or_those_named():
    table = {"time": [1, 2], "cpu": ["1", "2"], "disk": [3, 4], "host": ["x", "x"]}
    assert points(**table).channels == "cpu,disk"
    assert points({"series": "disk, cpu"}, **table).table["series"][1].tolist() == [[3, 1], [4, 2]]
    with pytest.raises(UnknownNameError, match="dsk"):
        points({"series": "dsk"}, **table)


def test_marks_become_windows():
    assert points(value=range(6), is_anomaly=[0, 1, 1, 0, 0, 1]).table["windows"][1] == "1-2 5-5"


def test_series_in_rows_are_left_alone():
    assert points(series=["1 2 3"]) is None
    assert points(text=["a"]) is None


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"value": ["1", "x"]}, "row 2, column value: expected a number, got 'x'"),
        ({"value": ["1", "inf"]}, "row 2, column value: expected a finite number, got inf"),
        (
            {"time": ["2024-01-01", "soon"], "value": [1, 2]},
            "row 2, column time: expected a time such as .* got 'soon'",
        ),
        ({"value": ["", ""]}, "f.csv, column value: no number at all"),
    ],
)
def test_what_is_no_number_or_time_is_named(table, message):
    with pytest.raises(DataError, match=message):
        points(**table)


def test_few_series_are_cut_in_time_and_their_windows_with_them():
    table = frame_of({"series": [np.arange(10.0)[:, None]], "windows": ["1-2 5-8"]})
    parts = cut_in_time(table, {"valid": 0.2, "test": 0.2})
    assert [part["series"][1][:, 0].tolist() for part in parts.values()] == [[0, 1, 2, 3, 4, 5], [6, 7], [8, 9]]
    assert [part["windows"][1] for part in parts.values()] == ["1-2 5-5", "0-1", "0-0"]


def test_a_frame_of_points_is_loaded_and_its_columns_keep_their_names():
    frame = pd.DataFrame({"when": range(50), "load": np.arange(50.0)})
    splits = load(
        DataConfig(columns={"series": "load"}), ("series",), frame=frame, pointwise=True, optional=("windows",)
    )
    assert [len(part["series"].iloc[0]) for part in (splits.train, splits.valid, splits.test)] == [40, 5, 5]
    assert splits.columns == {"series": "load"}
    assert any("cut from the end of each series" in note for note in splits.notes)


def test_columns_that_play_no_part_are_named():
    found = points(timestamp=[1, 2], value=[3, 4], cpu_temp=["", None], host=["a", "a"])
    assert found.unread == ("cpu_temp", "host")
    assert found.notes[-1] == "f.csv: columns that are not read: cpu_temp, host"
    assert points(timestamp=[1, 2], value=[3, 4]).unread == ()


@pytest.mark.parametrize(
    ("minutes", "night"), [(5, "2024-10-27 03:00"), (60, "2024-11-03 02:00"), (30, "2025-04-06 03:00")]
)
def test_the_hour_that_clocks_have_twice_is_explained(minutes, night):
    wall = pd.date_range(end=night, periods=200, freq=f"{minutes}min", inclusive="left")
    again = pd.date_range(pd.Timestamp(night) - pd.Timedelta("1h"), periods=200, freq=f"{minutes}min")
    times = [str(time) for time in (*wall, *again)]
    text = " ".join(points(time=times, value=range(len(times))).notes)
    assert f"the hour from {again[0]} is there twice" in text and "in UTC, or with their offset" in text
    for other in (times[::-1], times[:190], [str(time - pd.Timedelta("14D")) for time in (*wall, *again)]):
        assert "twice" not in " ".join(points(time=other, value=range(len(other))).notes)
