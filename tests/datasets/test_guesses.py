"""Columns that nobody named: by the words in their names, and by what they hold."""

from itertools import product

import pandas as pd
import pytest

from recurra.datasets.guesses import rank, words_of
from recurra.datasets.panel import Panel, panel_of
from recurra.datasets.tables import frame_of
from recurra.errors import InputError

DAYS = list(pd.date_range("2024-01-01", periods=20, freq="D").strftime("%Y-%m-%d"))
SHOPS = ("north", "south")


def panel(columns: dict[str, list[object]], **roles: str) -> Panel:
    return panel_of({"train": frame_of(columns)}, "f.csv", roles, "", 2)


def long(*names: str) -> dict[str, list[object]]:
    """Columns of times, ids, numbers, a price, the region of each series and the number of the row, so far as named."""
    steps = [(shop, day, i) for shop in SHOPS for i, day in enumerate(DAYS)]
    rows = [(day, shop, float(i % 7), 5 + i % 3, shop.upper(), row) for row, (shop, day, i) in enumerate(steps)]
    return {name: list(values) for name, values in zip(names, zip(*rows, strict=True), strict=False)}


@pytest.mark.parametrize(
    "names",
    [
        ("Order Date", "Store ID", "Units Sold", "price", "region"),
        ("Date", "Store", "Weekly_Sales", "price"),
        ("bar", "foo", "baz"),
        ("timestamp", "meter_id", "kwh"),
        ("Day", "Shop", "Revenue", "price"),
        ("date", "store_nbr", "sales", "onpromotion", "fam", "id"),
        ("timestamp", "item_id", "target", "price"),
        ("SaleDate", "ProductCode", "salesAmount", "unitPrice"),
        ("when", "who", "temperature"),
    ],
)
def test_finds_times_series_and_what_to_forecast_under_ordinary_names(names: tuple[str, ...]) -> None:
    found = panel(long(*names))
    assert {role: found.columns[role] for role in ("ds", "unique_id", "y")} == {
        "ds": names[0], "unique_id": names[1], "y": names[2],
    }  # fmt: skip
    assert len(found.lines) == 2
    assert str(found.frequency) == "D"
    assert names[2] in found.notes[0]


def test_a_column_that_numbers_the_rows_is_no_series_and_left_out() -> None:
    for name in ("id", "index", "foo"):
        found = panel({name: list(range(40)), **long("date", "store", "sales")})
        assert found.columns == {"ds": "date", "unique_id": "store", "y": "sales"}
        assert f"f.csv: column {name!r} numbers the rows, and is left out" in found.notes


def test_a_column_of_words_is_no_series_where_each_time_is_once() -> None:
    rows = {"date": DAYS, "weekday": list("abcde") * 4, "sales": [1.0, 3.0] * 10}
    assert panel(rows).columns == {"ds": "date", "y": "sales"}


def test_a_price_is_forecast_where_nothing_else_can_be() -> None:
    assert panel({"date": DAYS, "price": [1.0, 3.0] * 10}).columns == {"ds": "date", "y": "price"}


def test_flags_are_not_forecast() -> None:
    rows = {"date": DAYS, "closed": ["True", "False"] * 10, "amiss": [0, 1] * 10, "foo": [1.0, 3.0] * 10}
    assert panel(rows).columns == {"ds": "date", "y": "foo", "past": "closed,amiss"}


def test_several_columns_that_are_one_id_together_are_named() -> None:
    rows = list(product(("n", "s"), ("tea", "salt"), DAYS))
    columns: dict[str, list[object]] = {
        name: [row[i] for row in rows] for i, name in enumerate(("store", "item", "date"))
    }
    columns["sales"] = [float(i % 5) for i in range(len(rows))]
    expected = r"several rows have the date 2024-01-01, and none of item, store tells .*--column unique_id=item,store,"
    with pytest.raises(InputError, match=expected):
        panel(columns)
    assert len(panel(columns, unique_id="item,store").lines) == 4


def test_rows_of_one_time_that_nothing_tells_apart_are_refused() -> None:
    with pytest.raises(InputError, match=r"2024-01-01.*: two rows for one time .* as unique_id"):
        panel({"date": [*DAYS, *DAYS], "sales": [float(i % 9) for i in range(40)]})


def test_two_columns_of_dates_are_asked_for() -> None:
    with pytest.raises(InputError, match=r"several columns hold dates.*--column ds=NAME from order date, ship date"):
        panel({"order date": DAYS, "ship date": DAYS, "sales": [1.0, 2.0] * 10})
    assert panel({"date": DAYS, "ship date": DAYS, "sales": [1.0, 2.0] * 10}).columns["ds"] == "date"


def test_ids_that_are_another_in_each_row_are_refused() -> None:
    rows = {"unique_id": list(range(20)), "ds": DAYS, "y": [1.0, 2.0] * 10}
    with pytest.raises(InputError, match="each row has another unique_id, so no series has two steps"):
        panel(rows)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("Order Date", ["order", "date"]), ("store_nbr", ["store", "nbr"]), ("unit-price", ["unit", "price"]),
     ("StoreID", ["store", "id"]), ("HTTPTime", ["http", "time"]), ("y_lag1", ["y", "lag", "1"]), ("Café", ["café"])],
)  # fmt: skip
def test_names_are_read_in_parts(name: str, expected: list[str]) -> None:
    assert words_of(name) == expected


def test_the_last_known_word_of_a_name_decides() -> None:
    for name in ("sales_price", "y_lag1", "sales_id", "target month"):
        assert rank(name, "y") is None
    for name in ("item_count", "sensor value", "Weekly_Sales", "sales_usd"):
        assert rank(name, "y") is not None
        assert rank(name, "unique_id") is None
