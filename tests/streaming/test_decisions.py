"""A live sequence's predictions against those of the whole: no step may say another thing than the recording so far."""

from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.config import override
from recurra.errors import InputError
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.sequences import State
from recurra.streaming import Decisions, DecisionStreams
from recurra.tasks import TASKS

ROWS: dict[str, list[Any]] = {
    "series": [[[0.5, 2.0], [1.5, -1.0], [0.1, 0.2]], [[3.0, 0.25]] * 9],
    "symbols": ["ACGTTGA", "GATTACA"],
    "text": ["a good film a good film bad", "bad"],
}
TARGETS = {
    "category": {"label": ["up", "down"]},
    "number": {"number": [1.0, 2.5]},
    "tags": {"tags": ["u u u d d d d", "u d u d u d d"]},
}


def model(task: str, **settings: object) -> Model:
    kind = TASKS.get(task)
    config = override(defaults(kind), {"trunk.hidden": 5, "trunk.bidirectional": False, **settings})
    frame = pd.DataFrame({kind.roles[0]: ROWS[kind.input], **TARGETS[kind.output]})
    modality = MODALITIES.get(kind.input).fit(config.modality, ROWS[kind.input])
    return Model(config.model, modality, HEADS.get(kind.output).learn(config.head, frame)).double()


def flat(said: list[dict[str, Any]]) -> list[float]:
    return [x for row in said for x in (row["probabilities"].values() if "label" in row else [row["number"]])]


POOLED = [task for task, kind in TASKS.all().items() if kind.output in ("category", "number")]


@pytest.mark.parametrize(("pool", "stack"), [("last", 1), ("max", 1), ("mean", 1), ("attention", 1), ("max", 3)])
@pytest.mark.parametrize("task", ["gesture", "dna", "regression"])
@settings(deadline=None, max_examples=8)
@given(data=st.data())
def test_every_step_says_what_the_recording_so_far_does(task: str, pool: str, stack: int, data: Any) -> None:
    net = model(task, **{"head.pool": pool, "trunk.stack": stack})
    row = ROWS[net.config.input][data.draw(st.integers(0, 1))]
    live = Decisions(net)
    for _ in range(2):
        cut = data.draw(st.integers(0, len(row)))
        said = live.feed(row[:cut]) + live.feed(row[cut:])
        whole = net.predict([row[: i + 1] for i in range(len(row))])
        assert flat(said) == pytest.approx(flat(whole), rel=1e-9, abs=1e-12)
        live.reset()


@pytest.mark.parametrize("task", POOLED)
def test_every_task_with_such_a_head_can_be_live(task: str) -> None:
    net = model(task)
    row = ROWS[net.config.input][0]
    assert flat(Decisions(net).feed(row))[-1] == pytest.approx(flat(net.predict([row]))[-1], rel=1e-9)


@pytest.mark.parametrize("stack", [1, 3])
def test_in_a_window_an_answer_rests_on_its_last_steps_alone(stack: int) -> None:
    net, row = model("gesture", **{"trunk.stack": stack}), [[float(i % 7), float(i % 3)] for i in range(23)]
    window, half = 6, 3
    said = Decisions(net, window).feed(row)
    begins = [max(0, (i // half - 1) * half) for i in range(len(row))]
    assert all(half < i - begin + 1 <= window for i, begin in enumerate(begins) if i >= half)
    whole = net.predict([row[begin : i + 1] for i, begin in enumerate(begins)])
    assert flat(said) == pytest.approx(flat(whole), rel=1e-9)


@pytest.mark.parametrize(
    ("pool", "stack", "window"), [("max", 1, 0), ("attention", 3, 0), ("mean", 1, 6), ("max", 3, 6)]
)
def test_streams_come_and_go_and_say_what_they_say_alone(pool: str, stack: int, window: int) -> None:
    net = model("gesture", **{"head.pool": pool, "trunk.stack": stack})
    rows = [[[float((i * k) % 7), float(i % 3)] for i in range(20)] for k in (1, 2, 3)]
    expected = [flat(Decisions(net, window).feed(row)) for row in rows]
    live = DecisionStreams(net, 3, window)
    gone, a, b = live.join(), live.join(), live.join()
    found: dict[int, list[float]] = {0: [], 1: []}
    for t in range(0, 20, 2):
        if t == 10:
            saved = [State.from_bytes(live.state(key).to_bytes()) for key in (a, b)]
            live = DecisionStreams(net, 3, window)
            b, gone, a = live.join(saved[1]), live.join(), live.join(saved[0])
        if t % 4:  # in different phases, and of different numbers of steps
            live.feed([gone], [rows[2][:3]])
        said = live.feed([b, gone, a], [rows[1][t : t + 2], rows[2][:1], rows[0][t : t + 2]])
        found[0] += flat(said[2])
        found[1] += flat(said[0])
    assert [found[0], found[1]] == [pytest.approx(expected[0], rel=1e-9), pytest.approx(expected[1], rel=1e-9)]


def test_a_live_sequence_is_kept_and_goes_on() -> None:
    net, row = model("gesture", **{"trunk.stack": 3}), [[float(i % 7), float(i % 3)] for i in range(9)]
    live = Decisions(net)
    live.feed(row[:4])
    saved = live.state.to_bytes()
    expected = flat(live.feed(row[4:]))
    other = Decisions(net)
    other.state = State.from_bytes(saved)
    assert flat(other.feed(row[4:])) == expected
    with pytest.raises(InputError, match="state"):
        other.state = Decisions(model("regression")).state


def test_what_does_not_fit_changes_nothing() -> None:
    live = DecisionStreams(model("gesture"), 2)
    key = live.join()
    live.feed([key], [[[1.0, 2.0]]])
    before = live.state(key)
    for keys, rows in (([key], [[[1.0]]]), ([key], []), ([key, key], [[[1.0, 2.0]]] * 2), ([9], [[[1.0, 2.0]]])):
        with pytest.raises(InputError):
            live.feed(keys, rows)
    assert all(torch.equal(live.state(key)[name], before[name]) for name in before)


def test_what_cannot_be_live_is_refused() -> None:
    with pytest.raises(InputError, match="reads forwards only"):
        Decisions(model("gesture", **{"trunk.bidirectional": True}))
    with pytest.raises(InputError, match="reads both, from both ends"):
        Decisions(model("dna", **{"modality.strands": "both"}))
    with pytest.raises(InputError, match="got one that pools the middle"):
        Decisions(model("dna", **{"head.pool": "middle"}))
    with pytest.raises(InputError, match=r"pools the steps so far .* got tags"):
        Decisions(model("dna-tags"))
    with pytest.raises(InputError, match="window: expected a multiple of 2 steps"):
        Decisions(model("gesture"), window=3)
    with pytest.raises(InputError, match="window: expected a multiple of 8 steps"):
        Decisions(model("gesture", **{"trunk.stack": 4}), window=12)
    with pytest.raises(InputError, match=r"trunk\.stack: expected 1 with head tags"):
        model("dna-tags", **{"trunk.stack": 2})
