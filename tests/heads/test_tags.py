"""Tags: what the conformance suite cannot know."""

from itertools import pairwise
from typing import Any

import pandas as pd
import pytest
import torch
from torch import nn

from recurra import Ragged
from recurra.errors import DataError
from recurra.heads._schemes import spans_of, spelled, tags_of
from recurra.heads.tags import LEADS, Tags, TagsConfig, _TagsMeter
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model, ModelConfig
from recurra.trunk import TrunkConfig

WORDS = [("EU", "rejects", "German", "call"), ("Peter", "Blackburn", "in", "New", "York"), ("no", "names", "!")]
IOB1 = [("I-ORG", "O", "I-MISC", "O"), ("I-PER", "I-PER", "O", "I-LOC", "I-LOC"), ("O", "O", "O")]
FRAME = pd.DataFrame({"text": WORDS, "tags": IOB1}, index=pd.RangeIndex(1, 4, name="row"))
TEXT = Text.fit(TextConfig(), WORDS)


def head(frame: pd.DataFrame = FRAME, **settings: Any) -> Tags:
    config = TagsConfig(**settings)
    return Tags(config, 4, Tags.learn(config, frame), TEXT, nn.Embedding(1, 1))


def saying(head: Tags, rows: list[tuple[str, ...]]) -> tuple[Ragged, torch.Tensor]:
    """Features from which a head whose output layer is the identity says these canonical tags."""
    size = len(head.labels)
    head.output = nn.Linear(size, size, bias=False)
    nn.init.eye_(head.output.weight)
    ids = [torch.tensor([head.labels.index(tag) for tag in row], dtype=torch.int64) for row in rows]
    features = Ragged.from_list([20 * nn.functional.one_hot(row, size).float() for row in ids])
    return features, torch.zeros(len(rows), size)


def test_any_scheme_is_learnt_as_bioes_and_given_back() -> None:
    net = head()
    assert net.labels[:5] == ["O", "B-LOC", "I-LOC", "E-LOC", "S-LOC"]
    assert len(net.labels) == 17
    targets = net.targets(FRAME, "f")
    assert [net.labels[i] for i in targets[1].tolist()] == ["B-PER", "E-PER", "O", "B-LOC", "E-LOC"]
    bioes = FRAME.assign(tags=[tuple(net.labels[i] for i in row.tolist()) for row in targets.unbind()])
    assert torch.equal(net.targets(bioes, "f").values, targets.values)
    results = net.decode(*saying(net, list(bioes["tags"])))
    assert [tuple(result["tags"]) for result in results] == IOB1
    (first, second) = results[1]["spans"]
    assert (first["kind"], first["start"], first["end"]) == ("PER", 0, 2)
    assert 0.9 < second["probability"] <= 1


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
@pytest.mark.parametrize("shift", [-0.7, 1.1])
def test_the_bias_of_o_is_set_to_what_is_best_for_f1(decoder: str, shift: float) -> None:
    torch.manual_seed(1)
    frame = pd.concat([FRAME] * 20, ignore_index=True)
    net = head(frame, decoder=decoder)
    targets = net.targets(frame, "here")
    features = targets.with_values(nn.functional.one_hot(targets.values, len(net.labels)) + torch.randn(240, 17))
    net.output = nn.Linear(17, 17)
    nn.init.eye_(net.output.weight)
    nn.init.zeros_(net.output.bias)
    net.output.bias.data[0] = shift

    def measured() -> _TagsMeter:
        meter = net.meter()
        assert isinstance(meter, _TagsMeter)
        meter.update(features, torch.zeros(60, 17), targets, None)
        return meter

    before = measured()
    assert before.f1(0.0) == before.metrics()["f1"]
    assert net.calibrate(lambda: before)
    after = measured()
    assert after.metrics()["f1"] == max(before.f1(lead) for lead in LEADS) > before.metrics()["f1"]
    assert (after.predicted.total() > before.predicted.total()) == (shift > 0)  # more where O was too likely
    plain = head(frame, decoder=decoder, balance=False)
    assert not plain.calibrate(lambda: before)


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_a_crf_says_nothing_illegal(decoder: str) -> None:
    torch.manual_seed(1)
    net = head(decoder=decoder)
    features = Ragged.from_list([torch.randn(n, 4) for n in range(30)])
    ids = net.best(net.logits(features))
    wrong = 0
    for row in features.with_values(ids).unbind():
        tags = ["O", *(net.labels[i] for i in row.tolist()), "O"]
        wrong += sum((a[0] in "BI") != (b[0] in "IE") for a, b in pairwise(tags))
    assert (wrong == 0) == (decoder == "crf")


def test_plain_tags_have_a_softmax_by_default_and_spans_a_crf() -> None:
    plain = FRAME.assign(tags=["NN VB JJ NN", "NN NN IN NN NN", "DT NN ."])
    assert head(plain).crf is None
    assert head(plain, decoder="crf").crf is not None
    assert head(plain).objective.metric == "accuracy"
    assert head().crf is not None
    assert head().objective.metric == "f1"
    assert head(scheme="plain").labels == ["I-LOC", "I-MISC", "I-ORG", "I-PER", "O"]


def test_counts_are_conllevals() -> None:
    """2 of 3 predicted spans are right, of 4 there are; one has the right kind and one wrong end."""
    net = head()
    said = [("S-ORG", "O", "S-MISC", "O"), ("B-PER", "I-PER", "E-PER", "O", "O"), ("O", "O", "O")]
    meter = net.meter()
    meter.update(*saying(net, said), net.targets(FRAME, "f"), None)
    found = meter.metrics()
    assert (found["precision"], found["recall"], found["f1"]) == (2 / 3, 2 / 4, 4 / 7)
    assert found["accuracy"] == 8 / 12
    by_kind = {row["kind"]: row for row in meter.details(FRAME)["spans"]}
    assert (by_kind["PER"]["predicted"], by_kind["PER"]["true"], by_kind["PER"]["f1"]) == (1, 1, 0.0)
    assert by_kind["ORG"]["f1"] == 1.0


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
def test_tags_that_training_has_not_count_as_wrong_and_are_left_out_of_the_loss(decoder: str) -> None:
    net = head(decoder=decoder)
    said = [("S-ORG", "O", "S-MISC", "O"), ("B-PER", "E-PER", "O", "B-LOC", "E-LOC")]
    other = pd.DataFrame({"text": WORDS[:2], "tags": [IOB1[0], ("I-PER", "I-PER", "O", "I-FOOD", "I-FOOD")]})
    targets = net.targets(other, "f")
    assert targets.values.tolist()[-2:] == [-1, -2]
    features, last = saying(net, said)
    total, count = net.loss(features, last, targets)
    assert count == (7 if decoder == "softmax" else 4)
    assert 0 <= total < 1e-3
    meter = net.meter()
    meter.update(features, last, targets, None)
    found = meter.metrics()
    assert (found["precision"], found["recall"]) == (3 / 4, 3 / 4)
    assert found["accuracy"] == 7 / 9
    plain = head(FRAME.assign(tags=["a b a b", "b b b b b", "a a a"]), decoder=decoder)
    assert plain.targets(FRAME.assign(tags=["a c a b", "b b b b b", "a a a"]), "f").values[:3].tolist() == [0, -1, 0]


def test_illegal_tags_and_wrong_counts_are_named() -> None:
    with pytest.raises(DataError, match=r"training rows, row 3, tag 2: 'B-PER' after 'O' is not legal in iob1"):
        head(FRAME.assign(tags=[*IOB1[:2], ("O", "B-PER", "O")]))
    with pytest.raises(DataError, match=r"f\.conll, row 3, tag 2: 'B-PER' after 'O' is not legal in iob1"):
        head().targets(FRAME.assign(tags=[*IOB1[:2], ("O", "B-PER", "O")]), "f.conll")
    with pytest.raises(DataError, match="column tags: only one value, 'x', in all 3 training rows"):
        head(FRAME.assign(tags=["x x", "x", "x"]))
    config = ModelConfig("text", "tags", TextConfig(), TrunkConfig(hidden=4), TagsConfig())
    model = Model(config, TEXT, Tags.learn(TagsConfig(), FRAME))
    with pytest.raises(DataError, match=r"f\.csv, row 2: 5 steps of text, but 4 tags; each step needs one"):
        model.evaluation_batches(FRAME.assign(tags=[IOB1[0], ("I-PER", "I-PER", "O", "O"), IOB1[2]]), "f.csv")


@pytest.mark.parametrize("decoder", ["softmax", "crf"])
@pytest.mark.parametrize("scheme", ["iob1", "iob2", "bilou"])
def test_an_explanation_names_the_likeliest_other_tags_as_the_data_write_them(decoder: str, scheme: str) -> None:
    rows = [tags_of(spans_of(row), len(row), scheme) for row in IOB1]
    net = head(FRAME.assign(tags=rows), scheme=scheme, decoder=decoder)
    features, last = Ragged.from_list([torch.randn(n, 4) for n in (5, 0, 3)]), torch.zeros(3, 4)
    logits = net.logits(features)
    merged: list[dict[str, float]] = []
    for shares in net.probabilities(logits).tolist():
        merged.append({})
        for label, share in zip(net.labels, shares, strict=True):
            tag = spelled(label, scheme)
            merged[-1][tag] = merged[-1].get(tag, 0.0) + share
    found = net.explain(features, features, last, lambda score: [])
    steps = [step for one in found for step in zip(one["tags"], one["probabilities"], one["others"], strict=True)]
    assert len(steps) == 8
    for (tag, probability, others), shares in zip(steps, merged, strict=True):
        tag = tag if tag in shares else "I" + tag[1:]  # in iob1, where it touches one of its kind
        assert probability == pytest.approx(shares.pop(tag), abs=1e-6)
        expected = sorted(shares.values(), reverse=True)[:3]
        assert [other["probability"] for other in others] == pytest.approx(expected, abs=1e-6)
        assert [shares[other["tag"]] for other in others] == pytest.approx(expected, abs=1e-6)


def test_a_report_explains_the_right_rows_and_the_most_wrong() -> None:
    net = head()
    said = [("S-ORG", "O", "S-MISC", "O"), ("B-PER", "I-PER", "E-PER", "O", "O"), ("S-LOC", "O", "O")]
    meter = net.meter()
    meter.update(*saying(net, said), net.targets(FRAME, "f"), torch.tensor([2, 1, 0]))
    frame = FRAME.iloc[::-1]
    telling = meter.telling(frame)
    assert list(telling) == [2, 0, 1]
    assert telling[1][0] == {"kind": "PER", "start": 0, "end": 2}


def test_tokens_come_back_with_their_tags_whatever_they_are() -> None:
    config = ModelConfig("text", "tags", TextConfig(), TrunkConfig(hidden=4, bidirectional=True), TagsConfig())
    model = Model(config, TEXT, Tags.learn(TagsConfig(), FRAME))
    rows = ["", "Peter 👩\u200d💻 שלום!", ["New York", "", " "], "word " * 10_000]
    results = model.predict(rows)
    assert [len(result["tags"]) for result in results] == [0, 5, 3, 10_000]
    assert results[1]["tokens"] == ["Peter", "👩\u200d", "💻", "שלום", "!"]
    assert results[2]["tokens"] == rows[2]
    for result in results:
        assert len(result["tokens"]) == len(result["tags"]) == len(result["probabilities"])
        assert all(0 < share <= 1 for share in result["probabilities"])
