"""The rival of texts: words and pairs of them, in any form that rows have."""

import numpy as np
import pytest

from recurra.rivals import TfIdf, tfidf

KNOWN = ["good", "not good", "bad", "not bad", ("really", "good"), ["really", "bad"]] * 4
LABELS = np.array([1, 0, 0, 1, 1, 0] * 4)


def test_pairs_of_words_tell_what_single_ones_cannot() -> None:
    assert TfIdf().classify(KNOWN, LABELS, ["not good", ["not", "bad"], "really good"]).tolist() == [0, 1, 1]


def test_numbers_are_read_off_words() -> None:
    numbers = np.where(LABELS, 9.0, 2.0)
    found = TfIdf().regress(KNOWN * 5, np.tile(numbers, 5), ["good", "bad", ""])
    assert found[:2] == pytest.approx([9, 2], abs=1)
    assert 2 < found[2] < 9


@pytest.mark.parametrize("rows", [["", "!", "..."], [[], ["?"]]])
def test_rows_without_words_are_not_for_it(rows: list) -> None:
    assert TfIdf().classify(rows, np.arange(len(rows)), ["good"]) is None
    assert TfIdf().regress(rows, np.arange(len(rows)) * 1.0, ["good"]) is None


def test_of_many_rows_some_are_learnt_from_evenly(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = ["good", "bad"]
    monkeypatch.setattr(tfidf, "MOST_ROWS", 8)
    # Of three rows each the first: what the others say is not heard.
    known = [word for said in KNOWN[:8] for word in (said, "good", "bad")]
    labels = np.array([label for one in LABELS[:8] for label in (one, 0, 1)])
    assert TfIdf().classify(known, labels, asked).tolist() == [1, 0]
    monkeypatch.setattr(tfidf, "MOST_ROWS", 1)
    assert TfIdf().classify(known, labels, asked).tolist() == [1, 1]


def test_scripts_without_spaces_have_words_too() -> None:
    assert TfIdf().classify(["好", "坏", "好", "坏"], np.array([1, 0, 1, 0]), ["好"]).tolist() == [1]
