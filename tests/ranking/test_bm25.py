"""BM25 against its formula, and what texts may hold."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recurra.ranking import BM25
from recurra.ranking.bm25 import words

TEXTS = ["the red car", "the blue car and the blue sea", "", "sea sea sea"]


def by_hand(query: str, text: str, k1: float = 1.5, b: float = 0.75) -> float:
    split = [words(t) for t in TEXTS]
    mean = sum(map(len, split)) / len(split)
    own, total = words(text), 0.0
    for word in words(query):
        having = sum(word in t for t in split)
        idf = math.log(1 + (len(TEXTS) - having + 0.5) / (having + 0.5))
        often = own.count(word)
        total += idf * often * (k1 + 1) / (often + k1 * (1 - b + b * len(own) / mean))
    return total


@pytest.mark.parametrize("query", ["the sea", "blue blue car", "SEA!", "unheard of", ""])
def test_scores_are_the_formulas(query):
    expected = [by_hand(query, text) for text in TEXTS]
    assert BM25.fit(TEXTS).scores(query) == pytest.approx(expected, rel=1e-5)


def test_a_ranking_leaves_out_what_shares_no_word_and_keeps_the_order_of_equals():
    assert BM25.fit(["b", "a", "c", "a"]).ranking("a c").tolist() == [2, 1, 3]
    assert BM25.fit(TEXTS).ranking("nothing").tolist() == []


def test_words_of_any_script():
    assert words("Don't PANIC, Straße 7!") == ["don", "t", "panic", "strasse", "7"]
    assert words("слово 漢字かな word🙂") == ["слово", "漢", "字", "か", "な", "word"]
    assert words("🙂 … \n") == []


@given(st.lists(st.text(max_size=30), max_size=8), st.text(max_size=10))
def test_any_texts_have_finite_scores_that_a_shared_word_makes_positive(texts, query):
    scores = BM25.fit(texts).scores(query)
    assert scores.shape == (len(texts),) and np.isfinite(scores).all()
    assert (scores > 0).tolist() == [bool(set(words(query)) & set(words(text))) for text in texts]
