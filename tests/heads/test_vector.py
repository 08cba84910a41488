"""What the conformance suite cannot know of the head ``vector``: pairs without scores, and what is counted."""

import math

import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.config import override
from recurra.datasets.tables import frame_of
from recurra.errors import DataError, InputError
from recurra.heads.vector import Vector, VectorConfig
from recurra.modalities.text import Text
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS

PAIRS = frame_of(
    {
        "text": ["a film", "the sea", "a car", "a film", ""],
        "other": ["moving pictures", "salt water", "four wheels", "a cinema", "what nobody asks for"],
    }
)
SCORED = frame_of({"text": ["a", "b", "c d"], "other": ["a b", "b", "d"], "score": ["1", "4.5", "3"]})


def model(frame: pd.DataFrame, **settings: object) -> Model:
    small = {"trunk.hidden": 6, "trunk.dropout": 0.0, "trunk.input_dropout": 0.0, "head.dropout": 0.0}
    config = override(defaults(TASKS.get("search")), {**small, **settings})
    modality = Text.fit(config.modality, [*frame["text"], *frame["other"]])
    return Model(config.model, modality, Vector.learn(config.head, frame)).double()


def batch(net: Model, frame: pd.DataFrame, rows: list[int] | None = None):
    (found,) = net.batches(frame, "test", tokens=10_000, truncation=0, shuffle=False).epoch(0, 0)
    order = found.rows.argsort()[torch.tensor(rows if rows is not None else range(len(frame)))]
    return found.inputs[order], found.targets[order]


def vectors(net: Model, texts: list[str]) -> torch.Tensor:
    return torch.tensor([found["vector"] for found in net.predict(texts)], dtype=torch.float64)


def test_vectors_have_length_one_and_an_empty_text_none():
    net = model(PAIRS)
    assert vectors(net, ["a film", "salt", "🙂"]).norm(dim=-1).tolist() == pytest.approx([1, 1, 1])
    assert vectors(net, [""]).norm().item() == 0
    assert vectors(model(PAIRS, **{"head.size": 3}), ["a film"]).shape == (1, 3)


def test_the_contrast_of_a_batch_is_its_definition():
    net = model(PAIRS)
    rows = [0, 1, 2, 3, 4]
    total, count, _ = net(*batch(net, PAIRS, rows))
    a, b = vectors(net, list(PAIRS["text"])), vectors(net, list(PAIRS["other"]))
    scores = (a @ b.T / net.head.temperature).tolist()
    # Rows 0 and 3 have one text, so neither is held against the other; row 4 has none and only offers a document.
    there = {0: [0, 1, 2, 4], 1: rows, 2: rows, 3: [1, 2, 3, 4]}
    back = {0: [0, 1, 2], 1: [0, 1, 2, 3], 2: [0, 1, 2, 3], 3: [1, 2, 3]}
    expected = sum(
        (math.log(sum(math.exp(scores[i][j]) for j in there[i])) - scores[i][i]) / 2
        + (math.log(sum(math.exp(scores[j][i]) for j in back[i])) - scores[i][i]) / 2
        for i in there
    )
    assert count == 4
    assert total.item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("rows", [[4], [1], [0, 3], [4, 4]])
def test_a_batch_with_nothing_to_tell_apart_costs_nothing(rows):
    net = model(PAIRS)
    total, count, _ = net(*batch(net, PAIRS, rows))
    (total / count).backward()
    assert total.item() == pytest.approx(0, abs=1e-12)
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_learns_pairs_that_share_no_word():
    torch.manual_seed(0)
    net = model(PAIRS)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(40):
        total, count, _ = net(*batch(net, PAIRS))
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()
    meter = net.measure(net.evaluation_batches(PAIRS, "test"))
    assert meter.metrics()["map"] == 1.0
    # "a film" has two documents, of which one can be the first; BM25 has one word to go by, "a", for two of the texts.
    assert meter.metrics()["recall_1"] == pytest.approx((0.5 + 1 + 1) / 3)
    beside = meter.beside(PAIRS, None)
    assert list(beside) == ["BM25", "both fused"]
    assert beside["BM25"]["map"] < beside["both fused"]["map"] <= 1.0


def test_ranks_are_over_all_documents_not_over_a_batch():
    net = model(PAIRS)
    scores = vectors(net, list(PAIRS["text"][:4])) @ vectors(net, list(PAIRS["other"])).T
    place = [int(1 + (row > row[i]).sum()) for i, row in enumerate(scores)]
    first = {"a film": min(place[0], place[3]), "the sea": place[1], "a car": place[2]}
    for tokens in (1, 10_000):
        meter = net.measure(net.batches(PAIRS, "test", tokens=tokens, truncation=0, shuffle=False))
        assert meter.metrics()["mrr"] == pytest.approx(sum(1 / p for p in first.values()) / 3)


def test_a_report_shows_what_texts_find_in_the_order_of_their_cosines():
    net = model(PAIRS)
    meter = net.measure(net.batches(PAIRS, "test", tokens=1, truncation=0, shuffle=False))
    rows = meter.details(PAIRS)["asked"]
    assert [row["asked"] for row in rows] == ["a film", "the sea", "a car"]
    documents = list(PAIRS["other"])
    cosines = vectors(net, [row["asked"] for row in rows]) @ vectors(net, documents).T
    right = [{"moving pictures", "a cinema"}, {"salt water"}, {"four wheels"}]
    for row, scores, own in zip(rows, cosines, right, strict=True):
        order = [documents[place] for place in scores.argsort(descending=True)]
        assert [found["text"] for found in row["found"]] == order[:3]
        assert [found["right"] for found in row["found"]] == [text in own for text in order[:3]]
        assert row["place"] == 1 + min(order.index(text) for text in own)


def test_scores_follow_their_scale_and_their_order():
    net = model(SCORED)
    assert net.known == {"scale": [1.0, 4.5]} and net.head.objective.metric == "pearson"
    cosines = torch.linspace(-1, 1, 9, dtype=torch.float64)
    found = net.head.scores(cosines)
    assert (found.diff() > 0).all() and found[0] > 1 and found[-1] < 4.5
    meter = net.measure(net.evaluation_batches(SCORED, "test"))
    metrics = meter.metrics()
    a, b = vectors(net, list(SCORED["text"])), vectors(net, list(SCORED["other"]))
    found = net.head.scores((a * b).sum(-1))
    wanted = torch.tensor([1, 4.5, 3], dtype=torch.float64)
    shown = meter.details(SCORED)["agreement"]
    assert shown["wanted"] == wanted.tolist() and shown["said"] == pytest.approx(found.tolist(), rel=1e-3)
    assert metrics["mse"] == pytest.approx((found - wanted).square().mean().item())
    assert metrics["pearson"] == pytest.approx(torch.corrcoef(torch.stack([found, wanted]))[0, 1].item())


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=3, max_size=20))
def test_correlations_are_scipys(pairs):
    from scipy.stats import spearmanr

    from recurra.heads._vector_meters import _correlation, _ranked

    a, b = (torch.tensor(column, dtype=torch.float64) for column in zip(*pairs, strict=True))
    if len(a.unique()) > 1 and len(b.unique()) > 1:
        assert _correlation(_ranked(a), _ranked(b)) == pytest.approx(spearmanr(a, b).statistic)
    else:
        assert _correlation(_ranked(a), _ranked(b)) == pytest.approx(0)


def test_scores_must_be_numbers_that_differ():
    with pytest.raises(DataError, match="row 2, column score: expected a number, got 'four'"):
        Vector.learn(VectorConfig(), SCORED.assign(score=["1", "four", "3"]))
    with pytest.raises(DataError, match="row 3, column score: expected a number, got 'inf'"):
        Vector.learn(VectorConfig(), SCORED.assign(score=["1", "4", "inf"]))
    with pytest.raises(DataError, match="column score: only one value, 2"):
        Vector.learn(VectorConfig(), SCORED.assign(score=["2", "2", "2.0"]))
    with pytest.raises(DataError, match="file: no column score"):
        model(SCORED).head.targets(SCORED.drop(columns="score"), "file")


@pytest.mark.parametrize(("key", "value"), [("size", -1), ("dropout", 1.0), ("temperature", 0.0)])
def test_settings_out_of_range_are_named(key, value):
    with pytest.raises(InputError, match=f"head.{key}: expected"):
        VectorConfig(**{key: value})
