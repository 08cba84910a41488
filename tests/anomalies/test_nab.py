"""NAB's score: limits that a reader can check by eye, and the published figures of one detector on the real data."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.anomalies.nab import PROFILES, nab_score, probation
from recurra.datasets import DATASETS
from recurra.errors import InputError
from recurra.rivals.windowed_gaussian import windowed_gaussian


def at(steps, *detections):
    scores = np.zeros(steps)
    scores[list(detections)] = 1.0
    return scores


@pytest.mark.parametrize("profile", PROFILES)
def test_silence_is_0_and_a_detection_at_each_left_edge_100(profile):
    windows = [[(50, 59), (80, 99)], []]
    assert nab_score([np.zeros(100), np.zeros(50)], windows, profile).score == 0
    assert nab_score([at(100, 50, 80), np.zeros(50)], windows, profile).score == 100


def test_a_false_detection_costs_what_the_profile_says_and_the_probation_nothing():
    windows = [[(50, 59)]]
    for profile, cost in (("standard", 0.11), ("low_fp", 0.22)):
        assert nab_score([at(100, 30, 50)], windows, profile, 1.0).score == pytest.approx(100 * (1 - cost / 2))
    assert nab_score([at(100, 0, 14, 50)], windows, "standard", 1.0).score == 100
    assert nab_score([at(100, 15, 50)], windows, "standard", 1.0).score < 100


def test_later_in_the_window_is_worth_less_and_behind_it_costs_a_little_first():
    def score(*detections):
        return nab_score([at(100, *detections)], [[(50, 59)]], "standard", 1.0).score

    inside = [score(step) for step in range(50, 60)]
    assert inside == sorted(inside, reverse=True)
    behind = [score(50, step) for step in range(60, 100)]
    assert behind == sorted(behind, reverse=True)
    # The sigmoid of one step of ten, from its right edge and to it.
    assert inside[-1] == pytest.approx(50 * (1 + np.tanh(0.25) / np.tanh(2.5)))
    assert behind[0] == pytest.approx(100 - 50 * 0.11 * np.tanh(2.5 / 9))


def test_a_window_counts_once_by_its_best_detection():
    windows = [[(50, 59)]]
    assert nab_score([at(100, 50, 55, 59)], windows, "standard", 1.0).score == 100
    found = nab_score([at(100, 52, 58), at(100, 40)], [*windows, []], "standard", 1.0)
    assert (found.found, found.windows, found.false) == (1, 1, 1)


@given(st.lists(st.integers(0, 9), min_size=40, max_size=60), st.sampled_from(sorted(PROFILES)))
def test_the_best_threshold_is_the_best_of_all(levels, profile):
    scores = np.array(levels) / 10
    windows = [(20, 24), (30, 35)]
    best = nab_score([scores], [windows], profile)
    tried = [nab_score([scores], [windows], profile, t / 10 + 0.05) for t in range(-1, 11)]
    assert best.score == pytest.approx(max(t.score for t in tried))
    assert nab_score([scores], [windows], profile, best.threshold).score == pytest.approx(best.score)


def test_probation_has_a_limit():
    assert [probation(steps) for steps in (0, 7, 4032, 22_695)] == [0, 1, 604, 750]


def test_what_is_wrong_is_named():
    with pytest.raises(InputError, match=r"scores of series 2: expected \[T\] numbers from 0 to 1"):
        nab_score([np.zeros(9), np.array([np.nan])], [[(4, 5)], []])
    with pytest.raises(InputError, match="window 2 of series 1: expected steps in order from 6 to 8, got 5 to 7"):
        nab_score([np.zeros(9)], [[(4, 5), (5, 7)]])
    with pytest.raises(InputError, match="at least one"):
        nab_score([np.zeros(9)], [[]])
    with pytest.raises(InputError, match="profile: expected standard, low_fp, low_fn"):
        nab_score([np.zeros(9)], [[(4, 5)]], "cheap")


@pytest.mark.skipif(
    not Path(os.environ.get("RECURRA_DATA", "/nowhere"), "nab/nab.tar.xz").exists(), reason="nab is not on this machine"
)
def test_the_windowed_gaussian_has_the_figures_that_nab_publishes():
    """NAB's files keep scores in 12 digits: its threshold of 1 is reached half a unit of the last one before."""
    data = DATASETS.get("nab").load()["test"]
    windows = [[tuple(map(int, w.split("-"))) for w in text.split()] for text in data["windows"]]
    assert sum(map(len, windows)) == 116
    scores = [windowed_gaussian(series[:, 0]).round(12) for series in data["series"]]
    published = {"standard": 39.649523496077585, "low_fp": 20.86798582474138, "low_fn": 47.4100271583046}
    for profile, figure in published.items():
        assert nab_score(scores, windows, profile, 1.0).score == pytest.approx(figure, abs=1e-6)
