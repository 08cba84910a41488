"""Frames come back with the types, the zone and the names that they came with."""

import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import DataNote, InputError
from recurra.notes import pass_on
from recurra.runs.long_form import LongForm, Names

DAYS = pd.date_range("2024-03-30", periods=3, freq="D")


def frame(ids: object = "a", ds: object = DAYS) -> pd.DataFrame:
    return pd.DataFrame({"unique_id": ids, "ds": ds, "y": 1.0})


def back(df: object, times: object = DAYS, *, utc: bool = False, names: Names = Names()) -> object:  # noqa: B008
    """What comes back of three steps of the first series."""
    form = LongForm(df, names)
    values = np.asarray(times)
    values = values.astype("datetime64[s]") if values.dtype.kind == "M" else values
    first = next(iter(form.places), "series")
    return form.given_back({names.id: [first] * len(values), names.time: values}, utc)


@pytest.mark.parametrize("type", ["datetime64[ns]", "datetime64[us]", "datetime64[s]", "timestamp[us][pyarrow]"])
def test_times_of_pandas_keep_their_type(type: str) -> None:
    df = frame(ds=pd.Series(DAYS).astype(type))
    found = back(df)
    assert found["ds"].dtype == df["ds"].dtype
    assert len(df.merge(found, on=["unique_id", "ds"])) == 3


def test_days_periods_and_texts_of_pandas() -> None:
    assert back(frame(ds=DAYS.date))["ds"].tolist() == list(DAYS.date)
    assert back(frame(ds=DAYS.to_period("D")))["ds"].dtype == "period[D]"
    assert back(frame(ds=DAYS.astype(str)))["ds"].tolist() == list(DAYS)  # texts: as times
    steps = back(frame(ds=np.arange(3, dtype=np.int32)), np.arange(3, 6))
    assert steps["ds"].dtype == np.int32


@pytest.mark.parametrize("type", [pl.Date, pl.Datetime("us"), pl.Datetime("ns"), pl.Datetime("ms", "Asia/Tokyo")])
def test_times_of_polars_keep_their_type(type: object) -> None:
    df = pl.from_pandas(frame()).with_columns(pl.col("ds").cast(pl.Datetime("us")))
    zone = getattr(type, "time_zone", None)
    df = df.with_columns(pl.col("ds").dt.replace_time_zone(zone) if zone else pl.col("ds")).with_columns(
        pl.col("ds").cast(type)
    )
    found = back(df)
    assert found.schema["ds"] == df.schema["ds"]
    assert len(df.join(found, on=["unique_id", "ds"])) == 3
    assert back(df.lazy()).equals(found)


def test_hours_come_back_in_their_zone() -> None:
    hours = pd.date_range("2024-03-31", periods=3, freq="h", tz="Europe/Berlin")  # 0, 1 and, as clocks are set, 3
    utc = hours.tz_convert("UTC").tz_localize(None)
    found = back(frame(ds=hours), utc, utc=True)
    assert found["ds"].tolist() == list(hours) and str(found["ds"].dt.tz) == "Europe/Berlin"
    polar = back(pl.from_pandas(frame(ds=hours)), utc, utc=True)
    assert polar["ds"].to_list()[2] == datetime.datetime(2024, 3, 31, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert str(back(frame(ds=hours.astype(str)), utc, utc=True)["ds"].dt.tz) == "UTC"  # texts have offsets, no zone


def test_days_are_those_of_the_zone_and_hours_that_do_not_exist_are_the_next() -> None:
    days = DAYS.tz_localize("Europe/Berlin")
    assert back(frame(ds=days))["ds"].tolist() == list(days)
    at_two = (DAYS - pd.Timedelta("3D") + pd.Timedelta("2h")).tz_localize("Europe/Berlin")
    found = back(frame(ds=at_two), DAYS + pd.Timedelta("2h"))
    assert found["ds"].dt.hour.tolist() == [2, 3, 2]


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=20))
def test_ids_are_sorted_in_their_own_type_and_come_back_as_it(ids: list[int]) -> None:
    df = frame(ids=ids, ds=pd.date_range("2024-01-01", periods=len(ids)))
    for given_, kind in ((df, np.int64), (pl.from_pandas(df), pl.Int64)):
        form = LongForm(given_, Names())
        assert list(form.places) == [str(id) for id in sorted(set(ids))]
        assert sorted(map(str, ids), key=form.place) == [str(id) for id in sorted(ids)]
        found = form.given_back({"unique_id": list(map(str, ids))}, utc=False)["unique_id"]
        assert found.dtype == kind and found.to_list() == ids


def test_categories_texts_and_objects_as_ids() -> None:
    kinds = pd.Categorical(["b", "a", "c"], ["c", "b", "a"])
    assert list(LongForm(frame(kinds), Names()).places) == ["c", "b", "a"]
    assert back(frame(kinds))["unique_id"].dtype == kinds.dtype
    assert list(LongForm(frame(pd.Series(["b", 1, 10], dtype=object)), Names()).places) == ["1", "10", "b"]
    assert back(pl.from_pandas(frame(kinds))).schema["unique_id"] == pl.from_pandas(frame(kinds)).schema["unique_id"]


def test_other_names_the_index_and_a_single_series() -> None:
    own = Names("shop", "day", "sales")
    renamed = frame().rename(columns={"unique_id": "shop", "ds": "day", "y": "sales"})
    assert list(back(renamed, names=own)) == ["shop", "day"]
    assert list(back(frame().set_index("unique_id"))) == ["unique_id", "ds"]
    assert back(frame().drop(columns="unique_id"))["unique_id"].tolist() == ["series"] * 3
    with pytest.raises(InputError, match="df: expected columns shop, day, sales, got unique_id, ds, y; id_col"):
        LongForm(frame(), own)
    with pytest.raises(InputError, match="got list"):
        LongForm([1], Names())


def test_static_columns_have_one_row_a_series() -> None:
    kinds = pl.DataFrame({"unique_id": ["b", "a"], "kind": ["x", "z"]})
    assert LongForm(frame(ids=["a", "b", "a"]), Names(), kinds).table["kind"].tolist() == ["z", "x", "z"]
    for rows, said in ((["a", "a"], "static_df: two rows for the series a"), (["b"], "no row for the series a")):
        with pytest.raises(InputError, match=said) as error:
            LongForm(frame(), Names(), pd.DataFrame({"unique_id": rows, "kind": 1}))
        assert "\n" not in str(error.value)
    with pytest.raises(InputError, match="static_df: df has a column y too"):
        LongForm(frame(), Names(), pd.DataFrame({"unique_id": ["a"], "y": 1}))


def test_what_the_future_has_of_other_series_and_times_is_left_out() -> None:
    form = LongForm(frame().assign(price=1.0), Names())
    future = frame(ds=DAYS + pd.Timedelta("2D")).assign(price=2.0).drop(columns="y")  # the first is known already
    table, notes = form.with_future(pd.concat([future, future.assign(unique_id="ghost")]), ["price"])
    assert table["price"].tolist() == [1, 1, 1, 2, 2]
    assert list(table.index) == [1, 2, 3, "X_df, row 2", "X_df, row 3"]
    with pytest.warns(DataNote) as said:
        pass_on(notes)
    assert [str(one.message) for one in said] == [
        "X_df: 3 rows are of series without any y in df, and left out; the first is row 4: ghost, 2024-04-01T00:00:00",
        "X_df: 1 row is not after the last y of their series in df, and left out; the first is row 1: a, "
        "2024-04-01T00:00:00",
    ]
    with pytest.raises(InputError, match="X_df: expected columns unique_id, ds, price, got ds, price"):
        form.with_future(future.drop(columns="unique_id"), ["price"])
    with pytest.raises(InputError, match="X_df: ds has a time zone there or in df, but not in both"):
        form.with_future(future.assign(ds=future["ds"].dt.tz_localize("UTC")), ["price"])
    unused, notes = form.with_future(future, [])
    assert unused is form.table and "X_df: left out" in notes[0]


@pytest.mark.parametrize("kind", [pd.DataFrame, pl.DataFrame])
def test_columns_that_name_a_series_together_are_one(kind: type) -> None:
    df = kind({"store": [1, 1, 2], "item": ["x", "y", "x"], "ds": DAYS.to_pydatetime().tolist(), "y": [1.0, 2.0, 3.0]})
    form = LongForm(df, Names(id="store,item"))
    assert list(form.places) == ["1/x", "1/y", "2/x"]
    assert list(form.given_back({"store,item": ["2/x"]}, utc=False)["store,item"]) == ["2/x"]
