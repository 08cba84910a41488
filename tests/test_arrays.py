"""Numbers and series from every form that data come in."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as nps

from recurra.arrays import identity, number, series, written
from recurra.errors import DataError

finite = st.floats(-1e6, 1e6, width=32)


@given(st.integers(1, 3).flatmap(lambda channels: st.lists(st.lists(finite, min_size=channels, max_size=channels))))
def test_all_forms_of_a_series_are_the_same(rows: list[list[float]]) -> None:
    found = series(rows, "here")
    assert found is not None
    assert found.tolist() == rows
    nested = np.empty(len(rows), object)
    nested[:] = [np.array(row) for row in rows]
    for form in (np.array(rows) if rows else np.zeros(0), nested, json.dumps(rows)):
        again = series(form, "here")
        assert again is not None and np.array_equal(again, found)


@given(nps.arrays(np.float32, st.integers(1, 20), elements=finite))
def test_a_series_in_text_is_read_back(values: Any) -> None:
    text = " ".join(map(repr, values.tolist()))
    found = series(text, "here")
    assert found is not None and np.array_equal(found[:, 0], values)
    again = series(written(found), "here")
    assert again is not None and np.allclose(again, found, rtol=1e-5)


def test_what_is_missing_is_none() -> None:
    assert all(series(value, "here") is None for value in (None, float("nan"), "", "  "))
    assert all(number(value, "here") is None for value in (None, float("nan"), "", "  "))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ([1.0, None], r"f, row 3, step 2: a number is missing; fill it"),
        ([[1.0, 2.0], [float("inf"), 0.0]], "f, row 3, step 2: expected finite"),
        ([[1.0, 2.0], [3.0]], r"f, row 3: expected a series, .*got \[\[1.0, 2.0\], \[3.0\]\]"),
        (4.0, "f, row 3: expected a series"),
        ({"a": 1}, "f, row 3: expected a series"),
        ("1 2 x", "f, row 3: expected numbers with spaces or commas between them, or a JSON list, got '1 2 x'"),
        ("[1, 2", "or a JSON list"),
    ],
)
def test_what_is_no_series_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(DataError, match=said):
        series(value, "f, row 3")


@pytest.mark.parametrize(("value", "said"), [("four", "expected a number, got 'four'"), ("inf", "a finite number")])
def test_what_is_no_number_is_refused_with_its_place(value: Any, said: str) -> None:
    with pytest.raises(DataError, match=f"f, row 3: .*{said}"):
        number(value, "f, row 3")


@given(nps.arrays(np.float64, nps.array_shapes(min_dims=2, max_dims=2), elements=finite))
def test_identity_tells_shape_and_numbers_apart(values: Any) -> None:
    assert identity(values) == identity(values.copy())
    assert identity(values) != identity(values + 1)
    if values.shape[0] != values.shape[1]:
        assert identity(values) != identity(values.T.copy())
