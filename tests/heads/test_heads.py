"""Conformance of every head in the folder, on small models of the tasks that use it."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from recurra.config import override
from recurra.errors import DataError, InputError
from recurra.heads import HEADS, Head
from recurra.heads.category import Category, CategoryConfig
from recurra.modalities import MODALITIES
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS, Task
from recurra.timeline import Timeline, Window

TEXTS = ["a good film", "bad", "", "the plot is good and the cast is bad"]
TARGETS = ["ein guter Film", "schlecht", "?", "die Handlung ist gut und das Ensemble schlecht"]
OTHERS = ["a fine film", "good", "the cast", "the plot is good"]
TAGS = ["D A N", "A", "", "D N V A C D N V A"]
FRAME = pd.DataFrame({"text": TEXTS, "label": ["up", "down", "up", "down"], "tags": TAGS, "target": TARGETS})
# What a small model of a head needs beside the general settings.
SMALL = {
    "number": {"head.dropout": 0.0},  # of four rows it may leave nothing
    "text": {"trunk.embedding": 24, "head.hidden": 24, "head.label_smoothing": 0.0, "head.longest": 5},
}
LINE = Timeline("a", np.arange(30), np.sin(np.arange(30.0)) + 2, *[np.zeros((30, 0))] * 2)
# A column for each role, for the task whose head is tested to take its own from.
ROLES = FRAME.assign(
    series=[[1.0, 2.0], [3.0], [], [2.0, 0.5, 1.5, 3.0, 1.0]],
    number=[1.0, 2.5, -1.0, 4.0],
    y=[Window(LINE, origin, 3, 8) for origin in (9, 12, 20, 27)],
    other=OTHERS,
    score=["5", "1", "1", "5"],
)


def task_of(head: str) -> Task:
    """Of several tasks with this head one that reads text."""
    return min((t for t in TASKS.all().values() if t.output == head), key=lambda t: t.input != "text")


SPANS = ["O B-A I-A", "O", "", "B-B B-A I-A O O B-B I-B I-B O"]
# A head whose parts depend on the data runs with other data too.
CASES = [*((head, ROLES) for head in HEADS.names()), ("tags", ROLES.assign(tags=SPANS))]


def rows_of(head: str) -> list[Any]:
    return list(ROLES[task_of(head).roles[0]])


def model(head: str, frame: pd.DataFrame = ROLES, **settings: object) -> Model:
    task = task_of(head)
    config = override(defaults(task), {"trunk.hidden": 6, **SMALL.get(head, {}), **settings})
    if task.input == "text":
        config = override(config, {"modality.min_count": 1})
    kind = HEADS.get(head)
    rows = [row for role in (task.roles[0], *kind.shared) for row in frame[role]]
    modality = MODALITIES.get(task.input).fit(config.modality, rows, running=kind.running)
    return Model(config.model, modality, kind.learn(config.head, frame)).double()


@pytest.fixture(params=CASES, ids=lambda case: case[0])
def case(request) -> tuple[str, pd.DataFrame]:
    return request.param


def test_loss_is_a_sum_with_its_count_and_reaches_every_weight(case):
    net = model(*case)
    batches = net.batches(case[1], "test", tokens=1000, truncation=0, shuffle=False)
    (batch,) = batches.epoch(0, 0)
    total, count, _ = net(batch.inputs, batch.targets, None)
    (total / count).backward()
    assert torch.isfinite(total) and float(count) > 0
    # An input dropout of 0.5 on one layer cannot keep a whole matrix from its gradient.
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for name, p in net.named_parameters())


def test_losses_of_parts_add_up(case):
    net = model(*case).eval()
    whole = net.batches(case[1], "test", tokens=1000, truncation=0, shuffle=False)
    parts = net.batches(case[1], "test", tokens=1, truncation=0, shuffle=False)
    sums = [sum(net(b.inputs, b.targets, None)[0].item() for b in batches.epoch(0, 0)) for batches in (whole, parts)]
    assert sums[0] == pytest.approx(sums[1], rel=1e-9)


def test_metrics_do_not_depend_on_the_batches(case):
    net = model(*case)
    meters = [
        net.measure(net.batches(case[1], "test", tokens=tokens, truncation=0, shuffle=False)).metrics()
        for tokens in (1, 1000)
    ]
    assert meters[0] == pytest.approx(meters[1], rel=1e-6)
    assert net.head.objective.metric in meters[0]


def test_what_stands_beside_is_measured_by_the_same_figures(case):
    head, frame = case
    net = model(head, frame)
    meter = net.measure(net.evaluation_batches(frame, "test"))
    for trained in (None, frame):
        for figures in meter.beside(frame, trained).values():
            assert set(figures) <= set(meter.metrics())
            assert all(map(math.isfinite, figures.values()))


@pytest.mark.parametrize("head", ["category", "number"])
def test_the_rival_learns_from_the_rows_that_the_model_learnt_from(head):
    frame = pd.concat([ROLES] * 50)
    net = model(head, frame)
    meter = net.measure(net.evaluation_batches(ROLES, "test"))
    assert not any("TF-IDF" in name for name in meter.beside(ROLES, None))
    (figures,) = (v for name, v in meter.beside(ROLES, frame).items() if "TF-IDF" in name)
    assert figures["accuracy"] == 1 if head == "category" else figures["mae"] < 0.2
    wordless = ROLES.assign(text="!")
    assert not any("TF-IDF" in name for name in meter.beside(ROLES, wordless))


def test_predicts_plain_values_for_every_row_in_order(case):
    net = model(*case)
    together = net.predict(rows_of(case[0]))
    assert len(together) == len(ROLES)
    for row, expected in zip(rows_of(case[0]), together, strict=True):
        (alone,) = net.predict([row])
        assert alone.keys() == expected.keys()


def test_explains_what_it_predicts_or_says_that_it_cannot(case):
    net = model(*case)
    if type(net.head).explain is Head.explain:
        with pytest.raises(InputError, match=f"head {case[0]}"):
            net.predict(rows_of(case[0]), explain=True)
        return
    for plain, explained in zip(
        net.predict(rows_of(case[0])), net.predict(rows_of(case[0]), explain=True), strict=True
    ):
        assert plain.items() <= explained.items()
        assert plain.keys() < explained.keys()


def test_contributions_add_up_and_are_nobody_elses(case):
    """To what sets the answer apart from that for a sequence which says nothing."""
    net = model(*case).double()
    if (
        type(net.head).explain is Head.explain
        or "contributions" not in net.predict(rows_of(case[0])[:1], explain=True)[0]
    ):
        return
    with torch.no_grad():
        for weight in net.parameters():
            weight.mul_(3)  # far enough from linear
    rows = rows_of(case[0])
    together = net.predict(rows, explain=True)
    for row, found, steps in zip(rows, together, net.encoded(rows).lengths.tolist(), strict=True):
        assert len(found["contributions"]) == steps
        assert sum(found["contributions"]) == pytest.approx(found["score"] - found["baseline"], abs=0.02)
        (alone,) = net.predict([row], explain=True)
        assert alone["contributions"] == pytest.approx(found["contributions"], abs=1e-9)
    # Twice what a sum may miss, so that it says something.
    assert any(abs(found["score"] - found["baseline"]) > 0.05 for found in together)


def test_rows_that_a_report_explains_are_named_with_what_was_wanted(case):
    net = model(*case)
    meter = net.measure(net.batches(case[1], "test", tokens=1, truncation=0, shuffle=False))
    telling = meter.telling(case[1])
    json.dumps(telling)
    if type(net.head).explain is Head.explain:
        assert telling == {}
    else:
        assert set(telling) >= {0, 1, 3} and set(telling) <= {0, 1, 2, 3}


def test_saved_and_loaded_is_itself(case, tmp_path):
    net = model(*case).float()
    net.save(tmp_path)
    assert Model.load(tmp_path).predict(rows_of(case[0])) == net.predict(rows_of(case[0]))


def test_its_size_is_known_without_its_weights(case):
    net = model(*case)
    with torch.device("meta"):
        again = Model(net.config, net.modality, net.known)
    assert again.parameter_count == net.parameter_count


def test_learns_to_fit_four_rows(case):
    net = model(*case, **{"trunk.dropout": 0.0, "trunk.input_dropout": 0.0})
    net.eval()  # dropout of the head off as well
    batches = net.batches(case[1], "test", tokens=1000, truncation=0, shuffle=False)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
    losses = []
    for _ in range(40):
        for batch in batches.epoch(0, 0):
            total, count, _ = net(batch.inputs, batch.targets, None)
            optimizer.zero_grad()
            (total / count).backward()
            optimizer.step()
            losses.append((total / count).item())
    assert losses[-1] < 0.3 * losses[0]


def test_a_label_is_explained_by_its_log_odds():
    (found,) = (net := model("category")).predict(TEXTS[:1], explain=True)
    assert found["score"] == pytest.approx(math.log(found["probability"] / (1 - found["probability"])))
    assert found["tokens"] == ["a", "good", "film"]
    assert found["baseline"] == pytest.approx(net.predict([""], explain=True)[0]["baseline"], abs=2)


def test_a_text_of_ten_thousand_words_is_explained():
    (found,) = model("category", **{"modality.max_length": 0}).float().predict(["good film " * 5_000], explain=True)
    assert len(found["contributions"]) == len(found["tokens"]) == 10_000
    (cut,) = model("category", **{"modality.max_length": 3}).predict(["a good film a good film"], explain=True)
    assert cut["tokens"] == ["a", "good", "film"]


def test_of_equally_accurate_weights_the_surer_are_better():
    better = Category.objective.better
    assert better({"accuracy": 1.0, "nats": 0.1}, {"accuracy": 1.0, "nats": 0.5})
    assert not better({"accuracy": 1.0, "nats": 0.5}, {"accuracy": 1.0, "nats": 0.1})
    assert better({"accuracy": 0.9, "nats": 0.5}, {"accuracy": 0.8, "nats": 0.1})
    assert not better({"accuracy": float("nan"), "nats": 0.5}, None)


def test_balanced_weights_count_rare_labels_more():
    frame = pd.DataFrame({"text": ["x"] * 4, "label": ["a", "a", "a", "b"]})
    assert Category.learn(CategoryConfig(class_weights="balanced"), frame)["weights"] == pytest.approx([2 / 3, 2.0])
    assert Category.learn(CategoryConfig(), frame)["weights"] == [1.0, 1.0]


def test_a_weighted_loss_is_torchs():
    net = model("category", **{"head.class_weights": "balanced"})
    net.eval()
    frame = FRAME.assign(label=["up", "up", "up", "down"])
    net.head.weights.copy_(torch.tensor([2.0, 2 / 3]))
    (batch,) = net.batches(frame, "test", tokens=1000, truncation=0, shuffle=False).epoch(0, 0)
    total, count, _ = net(batch.inputs, batch.targets, None)
    features, last, _ = net.features(batch.inputs)
    logits = net.head.logits(features, last)
    expected = torch.nn.functional.cross_entropy(logits, batch.targets, weight=net.head.weights)
    torch.testing.assert_close(total / count, expected)


def test_one_label_and_unknown_labels_are_refused():
    with pytest.raises(DataError, match="only one value, 'a'"):
        Category.learn(CategoryConfig(), pd.DataFrame({"text": ["x", "y"], "label": ["a", "a"]}))
    with pytest.raises(DataError, match="column label: 'sideways' never occurs in training; known are down, up"):
        model("category").head.targets(FRAME.assign(label=["up", "sideways", "up", "up"]), "file")


def test_confusion_and_most_wrong_name_the_right_rows():
    net = model("category")
    meter = net.measure(net.evaluation_batches(FRAME, "test"))
    details = meter.details(FRAME)
    assert sum(map(sum, details["confusion"])) == len(FRAME)
    for wrong in details["most_wrong"]:
        row = FRAME[FRAME["text"] == wrong["text"]].iloc[0]
        assert wrong["label"] == row["label"] != wrong["predicted"]
    right = sum(details["confusion"][i][i] for i in range(2))
    assert right == len(FRAME) - len(details["most_wrong"])
