"""Seasons that show by themselves, as series run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.modalities._season import SEASONS, Season


def said(steps, memory=500):
    """What each step was about to be, by those before it. steps: [T]. Returns [T]."""
    season = Season(1, 1, memory)
    known = np.array([True])
    return np.array([0.0, *(season.step([0], np.array([[x]]), known)[0, 0] for x in steps[:-1])])


@pytest.mark.parametrize("length", SEASONS)
def test_a_season_that_repeats_itself_is_told_exactly(length):
    steps = np.tile(np.random.default_rng(0).normal(size=length), 5)
    assert said(steps)[2 * length :] == pytest.approx(steps[2 * length :], abs=1e-6)


def test_with_noise_it_counts_by_its_correlation():
    draw = np.random.default_rng(1)
    cycle = np.tile(2 * draw.normal(size=24), 100)
    steps = cycle + draw.normal(size=len(cycle))
    error = np.square(steps - said(steps))[1000:].mean()
    assert error < 0.9 * np.square(steps)[1000:].mean()
    assert error < 0.9 * np.square(steps[24:] - steps[:-24]).mean()


def test_noise_has_none():
    steps = np.random.default_rng(2).normal(size=3000)
    assert np.square(said(steps)[500:]).mean() < 0.05


@given(st.integers(0, 2**31), st.integers(1, 700))
@settings(max_examples=10, deadline=None)
def test_nothing_depends_on_what_comes_later(seed, cut):
    steps = np.random.default_rng(seed).normal(size=720) + 2 * np.sin(np.arange(720) * 2 * np.pi / 48)
    other = steps.copy()
    other[cut:] += 100
    assert np.array_equal(said(steps)[: cut + 1], said(other)[: cut + 1])


def test_missing_steps_pass_and_teach_nothing():
    season = Season(2, 1, 500)
    cycle = np.sin(np.arange(240) * 2 * np.pi / 24)
    for x in cycle:
        season.step([0, 1], np.full((2, 1), x), np.array([True, True]))
    before = {name: value.copy() for name, value in season.states.items()}
    season.step([0], np.zeros((1, 1)), np.array([False]))
    assert season.states["count"][0] == before["count"][0] + 1
    for name in ("square", "apart"):
        assert np.array_equal(season.states[name], before[name])
    # The day goes on where it is.
    assert season.step([0], np.full((1, 1), cycle[1]), np.array([True]))[0, 0] == pytest.approx(cycle[2], abs=0.05)
