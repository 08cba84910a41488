"""Choosing columns by name or guess, and what counts as a missing value."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from recurra.datasets.columns import Rows, rows_of
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, InputError, UnknownNameError

BOTH = ("text", "label")


def rows(columns: dict[str, Any], chosen: dict[str, str] | None = None, roles: tuple[str, ...] = BOTH) -> Rows:
    return rows_of(frame_of(columns), "f.csv", roles, chosen or {})


def test_columns_named_like_the_roles_are_taken_without_a_word() -> None:
    found = rows({"label": ["1"], "text": ["a"], "other": ["x"]})
    assert (found.columns, found.notes) == ({"text": "text", "label": "label"}, [])
    assert list(found.frame.columns) == ["text", "label"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"id": ["7"], "Review": ["a"], "Stars": ["4"]}, {"text": "Review", "label": "Stars"}),
        ({"long": ["many words here"], "short": ["a"]}, {"text": "long", "label": "short"}),
        ({"b": ["short"], "sentiment": ["very positive"]}, {"text": "b", "label": "sentiment"}),
        ({"a": ["x"], "Sentiment": ["pos"], "b": ["longer than x"]}, {"text": "b", "label": "Sentiment"}),
    ],
)
def test_a_guess_is_made_and_said(columns: dict[str, Any], expected: dict[str, str]) -> None:
    found = rows(columns)
    assert found.columns == expected
    assert found.notes == [
        f"f.csv: text is column {expected['text']!r}, label is column {expected['label']!r} "
        "(guessed; choose with --column ROLE=NAME; if the first row is data, set data.header=false)"
    ]


def test_a_chosen_column_is_not_guessed_again() -> None:
    found = rows({"text": ["a"], "label": ["1"], "fine": ["x"]}, {"label": "fine", "text": "label"})
    assert found.columns == {"text": "label", "label": "fine"}
    assert found.notes == []


def test_what_cannot_be_guessed_is_asked_for() -> None:
    with pytest.raises(InputError, match=r"which column is the label\?.*--column label=NAME from 'text', 'a', 'b'"):
        rows({"text": ["t"], "a": ["1"], "b": ["2"]})
    with pytest.raises(InputError, match="its columns are 'text'; needed are one each for text and label"):
        rows({"text": ["t"]})
    with pytest.raises(InputError, match=r"header=false") as error:
        rows({"t" * 500: ["t"], "a": ["1"], "b": ["2"]})
    assert len(str(error.value)) < 250


def test_wrong_names_are_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match=r"unknown column in f\.csv 'reviw': did you mean 'review'"):
        rows({"review": ["t"], "stars": ["1"]}, {"text": "reviw"})
    with pytest.raises(UnknownNameError, match="unknown role 'lable': did you mean 'label'"):
        rows({"review": ["t"], "stars": ["1"]}, {"lable": "stars"})


def test_rows_without_a_value_are_left_out_and_counted() -> None:
    found = rows({"text": ["a", "", "c", "  \n", None, "f"], "label": ["1", "0", None, "1", "", "0"]})
    assert found.frame["text"].tolist() == ["a", "f"]
    assert list(found.frame.index) == [1, 6]
    assert found.notes == ["f.csv: 4 of 6 rows left out: 3 without text and 2 without label"]
    with pytest.raises(DataError, match="no row is complete: of 2 rows 2 without label"):
        rows({"text": ["a", "b"], "label": ["", None]})


def test_an_optional_role_is_taken_where_there_is_a_column_for_it() -> None:
    def columns(given: dict[str, Any], chosen: dict[str, str] | None = None) -> dict[str, str]:
        return rows_of(frame_of(given), "f.csv", ("text", "other"), chosen or {}, optional=("score",)).columns

    pair = {"text": ["a"], "other": ["b"]}
    assert columns(pair) == {"text": "text", "other": "other"}
    # What is merely left over is not taken for it, but what is named like it, or chosen, is.
    assert columns({**pair, "n": ["1"]}) == {"text": "text", "other": "other"}
    assert columns({**pair, "similarity": ["1"]})["score"] == "similarity"
    assert columns({**pair, "n": ["1"]}, {"score": "n"})["score"] == "n"
    with pytest.raises(UnknownNameError, match="role 'scores': did you mean 'score'"):
        columns(pair, {"scores": "text"})


def test_a_row_may_lack_the_roles_that_may_have_gaps() -> None:
    table = frame_of({"text": ["a", None, "c", " "], "other": ["1", "2", "", "4"]})
    found = rows_of(table, "f.csv", ("text", "other"), {}, gaps=("text",))
    assert found.frame.to_dict("list") == {"text": ["a", "", ""], "other": ["1", "2", "4"]}
    assert list(found.frame.index) == [1, 2, 4]
    assert found.notes == [
        "f.csv: 2 of 4 rows have no text; read as an empty one",
        "f.csv: 1 of 4 rows left out: 1 without other",
    ]


def test_no_rows_are_refused() -> None:
    with pytest.raises(InputError, match="there are no rows"):
        rows({"text": [], "label": []})


def test_values_become_text() -> None:
    values = [1, 1.0, 2.5, np.int64(3), np.float32(4), True, datetime.date(2020, 1, 2), "NA", " kept "]
    found = rows({"text": values}, roles=("text",))
    assert found.frame["text"].tolist() == ["1", "1", "2.5", "3", "4", "True", "2020-01-02", "NA", " kept "]
    gone = rows({"text": ["a", np.nan, pd.NA, pd.NaT, None]}, roles=("text",))
    assert gone.frame["text"].tolist() == ["a"]


def test_half_a_surrogate_pair_is_replaced() -> None:
    found = rows({"text": ["a\ud800b", "\ud83d\ude42 é"]}, roles=("text",))
    assert found.frame["text"].tolist() == ["a\ufffdb", "🙂 é"]


def test_labels_lose_the_space_around_them() -> None:
    assert rows({"text": [" a", "b"], "label": [" pos", "pos "]}).frame["label"].tolist() == ["pos", "pos"]


@pytest.mark.parametrize("value", [["a"], {"a": 1}, b"a", np.zeros(2)])
def test_other_values_are_refused(value: object) -> None:
    with pytest.raises(DataError, match=r"f\.csv, row 2, column kind: expected a text, got"):
        rows({"text": ["a", "b"], "kind": ["a", value]})


def test_texts_and_tags_may_be_lists() -> None:
    columns = {"tokens": [["a", "b"], np.array(["c"]), []], "ner_tags": [[0, 3.0], ("x",), ["y"]]}
    found = rows(columns, roles=("text", "tags"))
    assert found.frame["text"].tolist() == [("a", "b"), ("c",)]
    assert found.frame["tags"].tolist() == [("0", "3"), ("x",)]
    assert "f.csv: 1 of 3 rows left out: 1 without text" in found.notes
    with pytest.raises(DataError, match=r"f\.csv, row 1, column text: item 2 is missing"):
        rows({"text": [["a", None]]}, roles=("text",))


def test_of_two_texts_neither_is_guessed_to_be_the_source() -> None:
    with pytest.raises(InputError, match="which column is the text"):
        rows({"de": ["ein langer Satz"], "en": ["short"]}, roles=("text", "target"))
    found = rows({"en": ["short"], "Source": ["ein langer Satz"]}, roles=("text", "target"))
    assert found.columns == {"text": "Source", "target": "en"}
