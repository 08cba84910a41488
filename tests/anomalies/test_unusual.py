"""How rare an error is: as rare as the score says, whatever the errors' distribution, unit and memory of themselves."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.anomalies.unusual import Habits, Unusual, score_of, unusual

ROWS, STEPS = 200, 700
HABITS = Habits()


def slow(draw, keep):
    """Gaussian numbers that keep so much of the one before."""
    found = draw.normal(size=(STEPS, ROWS))
    for t in range(1, STEPS):
        found[t] = keep * found[t - 1] + np.sqrt(1 - keep**2) * found[t]
    return found


def bursts(draw):
    """Gaussian numbers whose deviation follows what was (GARCH)."""
    found, variance = draw.normal(size=(STEPS, ROWS)), np.ones(ROWS)
    for t in range(STEPS):
        found[t] *= np.sqrt(variance)
        variance = 0.05 + 0.1 * found[t] ** 2 + 0.85 * variance
    return found


KINDS = {
    "Gaussian": lambda draw: draw.normal(size=(STEPS, ROWS)),
    "Laplace": lambda draw: draw.laplace(size=(STEPS, ROWS)),
    "Student's, 3 degrees": lambda draw: draw.standard_t(3, size=(STEPS, ROWS)),
    "lognormal": lambda draw: np.exp(draw.normal(size=(STEPS, ROWS))),
    "autocorrelated": lambda draw: slow(draw, 0.8),
    "slow": lambda draw: slow(draw, 0.95),
    "bursts": bursts,
}


def scored(errors, values):
    """errors: [T, B, K]. values: [T, B]. Returns the scores after the warm-up, [T', B, 2]."""
    running, rows = Unusual(errors.shape[1], errors.shape[2], 1, HABITS), np.arange(errors.shape[1])
    steps = np.arcsinh(values)[:, :, None]
    found = [running.step(rows, *step) for step in zip(errors, steps, strict=True)]
    return np.stack(found[HABITS.warm :])


@settings(max_examples=8, deadline=None)
@given(st.sampled_from(list(KINDS)), st.floats(-3, 6), st.sampled_from([0.0, 0.5, 1.0]), st.integers(0, 2**31))
def test_as_many_points_reach_a_threshold_as_are_wanted(kind, unit, common, seed):
    # common: how much the two errors of a step have in common.
    draw = np.random.default_rng(seed)
    values, other = KINDS[kind](draw), np.abs(KINDS[kind](draw))
    one = np.abs(values)
    scores = scored(10**unit * np.stack([one, common * one + (1 - common) * other], axis=2), values)
    # Of slow errors few are news, so that one in 1,000 is believed late: there are a third of those that are wanted.
    for rate, fewer, more in ((0.1, 1.5, 1.5), (0.01, 2.0, 2.0), (0.001, 4.0, 2.5)):
        share = (scores[:, :, 0] >= score_of(rate)).mean()
        assert rate / fewer < share < rate * more, f"{kind}: {share:.5f} where {rate} was wanted"


@pytest.mark.parametrize("kind", list(KINDS))
def test_alarms_are_no_more_than_points_that_reach_the_threshold(kind):
    values = KINDS[kind](np.random.default_rng(1))
    score, fresh = np.moveaxis(scored(np.abs(values)[:, :, None], values), 2, 0)
    assert ((fresh == score) | (fresh == 0)).all()
    assert 0 < (fresh >= score_of(0.001)).mean() < 0.002


def test_the_unit_does_not_matter():
    values = KINDS["Laplace"](np.random.default_rng(2))[:, :20]
    errors = np.abs(values)[:, :, None]
    assert scored(errors * 1e4, values) == pytest.approx(scored(errors, values), abs=1e-9)


def test_what_is_usual_changes_with_the_errors():
    draw = np.random.default_rng(3)
    values = draw.normal(size=(3000, 50)) * np.where(np.arange(3000) < 1500, 1.0, 5.0)[:, None]
    score = scored(np.abs(values)[:, :, None], values)[:, :, 0] >= score_of(0.001)
    at = 1500 - HABITS.warm
    assert score[at : at + 20].any(axis=0).mean() > 0.95
    assert score[at : at + 100].mean() > 0.05
    assert score[-500:].mean() < 0.003


def test_far_errors_are_rarer_the_farther_they_are():
    errors = np.abs(np.random.default_rng(4).normal(size=(STEPS, 6, 1)))
    errors[:] = errors[:, :1]
    errors[-1, :, 0] = [3, 4, 6, 10, 100, 1e6]
    found = scored(errors, np.ones((STEPS, 6)))[-1, :, 0]
    assert (np.diff(found) > 0).all()
    assert found[0] < 0.55
    assert found[-1] < 1


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_errors_that_are_all_the_same_are_not_unusual_but_the_first_other_one_is(value):
    errors = np.full((STEPS, 1, 1), value)
    errors[-1] = 2 * value + 1
    found = scored(errors, np.ones((STEPS, 1)))[:, 0, 0]
    assert found[:-1].max() < score_of(0.001) < found[-1]


@pytest.mark.parametrize("still", [1, 5, 40, 600])
def test_nothing_is_learnt_before_a_series_first_changes(still):
    draw = np.random.default_rng(5)
    errors, steps = draw.exponential(size=(300, 2)), draw.normal(size=(300, 1))
    before = np.concatenate([np.full((still, 2), 1e-9), errors]), np.concatenate([np.zeros((still, 1)), steps])
    alone = unusual(errors, steps, np.array([0, 300]), HABITS)
    found = unusual(*before, np.array([0, still + 300]), HABITS)
    assert not found[:still].any()
    assert (found[still + 1 :, 0] == alone[1:, 0]).all()
    assert (found[still, 1] >= score_of(0.001)) == (still > 100)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=5), st.integers(0, 2**31))
@settings(max_examples=20, deadline=None)
def test_series_end_to_end_are_scored_as_each_alone(lengths, seed):
    draw = np.random.default_rng(seed)
    errors, steps = draw.exponential(size=(sum(lengths), 2)), draw.normal(size=(sum(lengths), 3))
    offsets = np.array([0, *lengths]).cumsum()
    together = unusual(errors, steps, offsets, HABITS)
    for begin, end in pairwise(offsets):
        own = slice(begin, end)
        alone = unusual(errors[own], steps[own], np.array([0, end - begin]), HABITS)
        assert np.array_equal(together[own], alone)


def test_where_a_series_stays_is_unusual_though_it_is_near_its_mean():
    draw = np.random.default_rng(5)
    values = np.sin(np.arange(900) / 8)[:, None] + 0.05 * draw.normal(size=(900, 20))
    values[800:] = 0.2
    errors = np.abs(draw.normal(size=(900, 20, 1)))
    errors[800:] = 0.1
    score = scored(errors, values)[:, :, 0] >= score_of(0.001)
    at = 800 - HABITS.warm
    assert score[at : at + 40].any(axis=0).mean() > 0.5
    assert score[:at].mean() < 0.003
