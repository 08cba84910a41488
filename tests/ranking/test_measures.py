"""Rankings joined, and how good they are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.ranking import Ranked, fuse, ranks

SCORES = st.lists(st.integers(0, 4), min_size=1, max_size=12).map(lambda s: np.array(s, dtype=float))


def test_fusion_adds_reciprocal_ranks():
    assert fuse([[2, 0], [0]], 4) == pytest.approx([1 / 62 + 1 / 61, 0, 1 / 61, 0])


@given(SCORES)
def test_two_like_rankings_fuse_to_the_same(scores):
    ranking = (-scores).argsort(kind="stable")
    assert (-fuse([ranking, ranking], len(scores))).argsort(kind="stable").tolist() == ranking.tolist()


@given(SCORES, st.data())
def test_average_precision_is_its_definition(scores, data):
    relevant = data.draw(st.lists(st.integers(0, len(scores) - 1), min_size=1, unique=True))
    order = (-scores).argsort(kind="stable").tolist()
    hits = [place in relevant for place in order]
    expected = sum(sum(hits[: i + 1]) / (i + 1) for i, hit in enumerate(hits) if hit) / len(relevant)
    measure = Ranked()
    measure.add(ranks(scores, relevant))
    found = measure.metrics()
    assert found["map"] == pytest.approx(expected)
    assert found["mrr"] == pytest.approx(1 / (1 + hits.index(True)))
    assert found["recall_1"] == pytest.approx(hits[0] / len(relevant))


def test_every_query_counts_alike():
    measure = Ranked()
    measure.add(np.array([1]))
    measure.add(np.array([2, 4, 6]))
    assert measure.metrics()["map"] == pytest.approx((1 + 0.5) / 2)
    assert measure.metrics()["recall_1"] == 0.5
    assert Ranked().metrics()["map"] == 0
