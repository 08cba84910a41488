"""A live sequence's predictions against those of the whole: no step may say another thing than the recording so far."""

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.config import override
from recurra.errors import InputError
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.streaming import Decisions
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
