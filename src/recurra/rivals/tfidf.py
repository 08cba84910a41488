"""Texts by the words and pairs of words they hold, in a linear model."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.rivals.base import Rival

# Of more training rows it learns from every second one, third one, ...: its vocabulary must fit into memory.
MOST_ROWS = 100_000


class TfIdf(Rival):
    """TF-IDF of words and of pairs of them, in scikit-learn's ridge or logistic regression, as they come.

    A row is a text or a list of tokens. The order of words beyond a pair is lost to it. It learns from MOST_ROWS rows
    at most, evenly taken.

    >>> TfIdf().classify(["a good film", "good fun", "bad", "a bad plot"], np.array([1, 1, 0, 0]), ["what a bad film"])
    array([0])
    """

    classifier = "logistic regression on TF-IDF"
    regressor = "ridge regression on TF-IDF"

    def classify(
        self, known: Sequence[Any], labels: NDArray[np.int64], asked: Sequence[Any]
    ) -> NDArray[np.int64] | None:
        from sklearn.linear_model import LogisticRegression

        return _answers(LogisticRegression(max_iter=1000), known, labels, asked)

    def regress(
        self, known: Sequence[Any], numbers: NDArray[np.float64], asked: Sequence[Any]
    ) -> NDArray[np.float64] | None:
        from sklearn.linear_model import Ridge

        return _answers(Ridge(), known, numbers, asked)


def _answers(model: Any, known: Sequence[Any], answers: NDArray[Any], asked: Sequence[Any]) -> NDArray[Any] | None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    every = -(-len(known) // MOST_ROWS) or 1
    known, answers = known[::every], answers[::every]
    if len(np.unique(answers)) == 1:
        return np.repeat(answers[:1], len(asked))
    # Words of a single character count, as they are most of what some scripts have.
    tfidf = TfidfVectorizer(token_pattern=r"(?u)\w+", ngram_range=(1, 2), sublinear_tf=True)
    texts = list(map(_text, known))
    word = tfidf.build_tokenizer()
    if not any(map(word, texts)):
        return None
    model.fit(tfidf.fit_transform(texts), answers)
    found: NDArray[Any] = model.predict(tfidf.transform(map(_text, asked)))
    return found


def _text(row: Any) -> str:
    return row if isinstance(row, str) else " ".join(row)
