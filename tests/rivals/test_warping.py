"""Dynamic time warping against its definition, cell by cell."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.rivals import Warping
from recurra.rivals.warping import distances


def by_definition(one: np.ndarray, other: np.ndarray) -> float:
    table = np.full((len(one) + 1, len(other) + 1), np.inf)
    table[0, 0] = 0.0
    for i, a in enumerate(one):
        for j, b in enumerate(other):
            table[i + 1, j + 1] = ((a - b) ** 2).sum() + min(table[i, j], table[i, j + 1], table[i + 1, j])
    return float(table[-1, -1])


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.lists(st.integers(1, 9), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 99))
def test_distances_are_those_of_the_definition(length: int, lengths: list[int], channels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    one, others = draw.normal(size=(length, channels)), [draw.normal(size=(n, channels)) for n in lengths]
    padded = np.stack([np.pad(x, ((0, max(lengths) - len(x)), (0, 0)), constant_values=7.0) for x in others])
    expected = [by_definition(one, other) for other in others]
    assert distances(one, padded, np.array(lengths)) == pytest.approx(expected)


def test_a_slower_series_is_the_same_one_and_another_is_not() -> None:
    wave, ramp = np.sin(np.arange(20) / 3)[:, None], np.linspace(-1, 1, 20)[:, None]
    slow = np.sin(np.arange(40) / 6)[:, None]
    assert Warping().classify([wave, ramp], np.array([3, 5]), [slow, ramp[::2]]).tolist() == [3, 5]
    assert Warping().regress([wave, ramp], np.array([0.5, 2.5]), [slow]).tolist() == [0.5]


def test_what_it_cannot_answer_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rows, labels = [np.ones((3, 2)), np.zeros((2, 2))], np.array([0, 1])
    assert Warping().classify([*rows, np.zeros((0, 1))], np.array([0, 1, 1]), rows) is None
    assert Warping().classify(rows, labels, rows) is not None
    monkeypatch.setattr("recurra.rivals.warping.MOST", 49)
    assert Warping().classify(rows, labels, rows) is None
