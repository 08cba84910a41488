"""What the head ``text`` writes: a small model that has learnt a few sentences by heart."""

import pandas as pd
import pytest
import torch

from recurra.config import override
from recurra.errors import InputError
from recurra.heads.text import Text
from recurra.modalities.text import Text as Units
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS

PAIRS = {
    "Ein Mann.": "A man is here.",
    "Zwei Hunde!": "Two “dogs”!",
    "🙂": "שלום",
}
FRAME = pd.DataFrame({"text": PAIRS.keys(), "target": PAIRS.values()})
SMALL = {"trunk.hidden": 16, "trunk.embedding": 32, "head.hidden": 32, "head.label_smoothing": 0.0, "head.longest": 9}


def fresh(**settings: object) -> Model:
    torch.manual_seed(0)
    config = override(defaults(TASKS.get("translation")), SMALL | settings)
    modality = Units.fit(config.modality, [*FRAME["text"], *FRAME["target"]])
    return Model(config.model, modality, {}).eval()


@pytest.fixture(scope="module", params=[False, True], ids=["", "feed"])
def learnt(request) -> Model:
    net = fresh(**{"head.feed": request.param, "head.longest": 40})
    (batch,) = net.batches(FRAME, "pairs", tokens=1000, truncation=0, shuffle=False).epoch(0, 0)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(200):
        total, count, _ = net(batch.inputs, batch.targets)
        optimizer.zero_grad()
        (total / count).backward()
        optimizer.step()
    return net


def test_what_was_learnt_by_heart_is_written_as_a_person_would(learnt):
    assert [found["text"] for found in learnt.predict(PAIRS)] == list(PAIRS.values())


def test_figures_are_those_of_what_is_written(learnt):
    meter = learnt.measure(learnt.evaluation_batches(FRAME, "pairs"))
    metrics = meter.metrics()
    assert metrics["exact"] == 1
    assert metrics["bleu"] == pytest.approx(100)
    assert metrics["perplexity"] == pytest.approx(torch.tensor(metrics["nats_per_token"]).exp().item())
    assert [row["written"] for row in meter.details(FRAME)["examples"]] == list(PAIRS.values())
    changed = FRAME.assign(target=["A MAN IS HERE.", *FRAME["target"][1:]])
    metrics = learnt.measure(learnt.evaluation_batches(changed, "pairs")).metrics()
    assert metrics["exact"] == pytest.approx(2 / 3)
    assert metrics["bleu"] == pytest.approx(100)  # of small letters


def test_a_score_is_the_texts_probability_under_the_length_penalty(learnt):
    (found,) = learnt.predict(["Zwei Hunde!"])
    (batch,) = learnt.evaluation_batches(FRAME[1:2], "pair").epoch(0, 0)
    with learnt.evaluating():
        features, last, _ = learnt.features(batch.inputs)
        nats = learnt.head.nats(features, last, batch.targets).item()
    assert found["score"] == pytest.approx(-nats / ((5 + len(batch.targets.values)) / 6), rel=1e-3, abs=1e-4)


def test_an_explanation_says_what_each_unit_attended_to(learnt):
    texts = [*PAIRS, ""]
    for found, text in zip(learnt.predict(texts, explain=True), texts, strict=True):
        assert found["read"] == learnt.modality.tokens(text)
        assert len(found["attention"]) == len(found["units"])
        for shares in found["attention"]:
            assert len(shares) == len(found["read"])
            assert sum(shares) == pytest.approx(1 if text else 0, abs=1e-5)
    (found,) = learnt.predict(["Ein Mann."], explain=True)
    assert "".join(found["units"]) == found["text"]


@pytest.mark.parametrize("beam", [1, 4])
def test_texts_of_any_kind_are_read_and_what_is_written_has_an_end(beam):
    net = fresh(**{"head.beam": beam})
    with torch.no_grad():
        net.head.output.bias[net.modality.end_id] = -1e9  # never ends by itself
    texts = ["", " ", "x", "日本語のテキスト", "नमस्ते", "a\u200db \ud800 \x00", "🏳️‍🌈" * 3, "שלום (עולם)"]
    for found, text in zip(net.predict(texts), texts, strict=True):
        assert isinstance(found["text"], str)
        assert len(found["text"].encode("utf-8", "replace")) > 0
        found["text"].encode()  # no half of a character
        written = net.modality.encode(found["text"])
        assert len(written) <= 3 * (len(net.modality.encode(text)) + 9)


def test_ten_thousand_words_are_read():
    net = fresh(**{"head.beam": 1, "modality.max_length": 0})
    with torch.no_grad():
        net.head.output.bias[net.modality.end_id] = 1e9  # ends at once
    texts = [" ".join(["Hunde"] * 10_000), "Hunde"]
    assert [found["text"] for found in net.predict(texts)] == ["", ""]


def test_units_that_lose_white_space_are_refused():
    with pytest.raises(InputError, match=r"modality\.unit: expected bpe or char"):
        fresh(**{"modality.unit": "word"})


def test_batches_count_both_texts():
    batches = fresh().batches(FRAME, "pairs", tokens=10_000, truncation=0, shuffle=False)
    (batch,) = batches.epoch(0, 0)
    assert batch.steps == len(batch.inputs.values) + len(batch.targets.values)
    assert batches.steps_per_epoch == batch.steps


@pytest.mark.parametrize("tied", [False, True])
def test_tied_weights_are_one_table(tied):
    net = fresh(**{"head.tied": tied})
    head = net.head
    assert isinstance(head, Text)
    assert (head.output.weight is net.encoder.weight) == tied
    assert (head.input is net.encoder) == tied
