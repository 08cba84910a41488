"""What was done to data is a warning in Python, at the user's own line; what was found is none."""

import warnings

import pytest

from recurra.errors import DataNote
from recurra.notes import Change, pass_on


def test_changes_are_warnings_where_nobody_is_to_be_told() -> None:
    with pytest.warns(DataNote, match="2 rows left out") as given:
        pass_on(["found 3 series", Change("2 rows left out")])
    assert [one.filename for one in given] == [__file__]


def test_who_is_told_hears_of_all_and_is_not_warned() -> None:
    told: list[str] = []
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pass_on(["found 3 series", Change("2 rows left out")], told.append)
        pass_on(["found 3 series"])
    assert told == ["found 3 series", "2 rows left out"]
