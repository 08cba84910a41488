"""The windowed Gaussian against its definition, point by point."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.rivals.windowed_gaussian import windowed_gaussian


def slow(values, window, stride):
    held, waiting, scores = [], [], []
    for value in values:
        if held:
            z = abs(value - np.mean(held)) / (np.std(held) or 1e-6)
            scores.append(1 - math.erfc(z / math.sqrt(2)) / 2)
        else:
            scores.append(0.0)
        (held if len(held) < window else waiting).append(value)
        if len(waiting) == stride:
            held, waiting = held[stride:] + waiting, []
    return scores


@given(st.lists(st.integers(-50, 50), max_size=40), st.integers(1, 12), st.integers(1, 5))
def test_is_what_it_says(values, window, stride):
    values = [float(v) for v in values]
    stride = min(stride, window)
    assert windowed_gaussian(np.array(values), window, stride) == pytest.approx(slow(values, window, stride), abs=1e-6)


def test_a_constant_series_is_in_the_middle_and_its_first_change_outside():
    scores = windowed_gaussian(np.array([5.0] * 20 + [6.0]))
    assert scores[1:20] == pytest.approx(0.5)
    assert scores[20] == 1
