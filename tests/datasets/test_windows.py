"""Parts that follow each other in time."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.datasets import DataConfig, Splits
from recurra.datasets.windows import Timing, load_windows
from recurra.errors import InputError

AUTO = Timing("", 0, 0, 0, 0, 0)


def table(lengths: list[int]) -> pd.DataFrame:
    parts = [
        pd.DataFrame({"unique_id": f"s{i}", "ds": range(n), "y": np.arange(n) + 1000.0 * i})
        for i, n in enumerate(lengths)
    ]
    return pd.concat(parts, ignore_index=True)


def cut(lengths: list[int], timing: Timing = AUTO) -> Splits:
    return load_windows(DataConfig(source="<data frame>"), timing, frame=table(lengths))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(1, 90), min_size=1, max_size=4), st.integers(1, 5), st.integers(1, 4))
def test_no_part_sees_what_a_later_one_forecasts(lengths: list[int], horizon: int, season: int) -> None:
    timing = Timing("", season, horizon, 7, 1, 1)
    try:
        splits = cut([*lengths, 60], timing)
    except InputError as error:
        assert "no window is left" in str(error)  # noqa: PT017
        return
    assert splits.test is not None
    ends: dict[str, int] = {}
    for frame in (splits.train, splits.valid, splits.test):
        seen: dict[str, list[int]] = {}
        for window in frame["y"]:
            there = np.flatnonzero(~np.isnan(window.wanted)) + window.origin
            assert len(there)
            assert window.origin >= 1
            assert there[0] >= ends.get(window.line.id, 0)
            seen.setdefault(window.line.id, []).append(int(there[-1]) + 1)
        ends |= {id: max(steps) for id, steps in seen.items()}


def test_a_series_shorter_than_the_horizon_is_trained_on_alone() -> None:
    splits = cut([3, 80], Timing("", 1, 10, 10, 1, 0))
    assert any("1 series are too short to hold out a part" in note for note in splits.notes)
    assert any(window.line.id == "s0" for window in splits.train["y"])
    assert splits.test is not None
    assert not any(window.line.id == "s0" for window in splits.test["y"])


def test_nothing_but_short_series_is_refused() -> None:
    with pytest.raises(InputError, match="no window is left to valid with: the longest series has 8 steps"):
        cut([8, 3], Timing("", 1, 10, 10, 1, 0))


def test_says_what_it_found_and_keeps_it() -> None:
    frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=200, freq="D"), "y": np.arange(200.0)})
    splits = load_windows(DataConfig(source="<data frame>"), AUTO, frame=frame)
    assert "frame: 1 series, a step each day, season 7, horizon 7, 24 steps read" in splits.notes
    assert splits.defaults["head.horizon"] == 7
    assert splits.defaults["modality.frequency"] == "D"
    chosen = load_windows(DataConfig(source="<data frame>"), Timing("", 0, 14, 0, 0, 0), frame=frame)
    assert chosen.defaults["head.horizon"] == 14
    assert chosen.test is not None
    assert chosen.test["y"].iloc[0].horizon == 14
