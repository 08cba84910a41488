"""What is trained on otherwise where rows are few: settings of the task, and recordings as they might have been."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.datasets import Splits
from recurra.errors import InputError
from recurra.runs.config import RunConfig
from recurra.runs.engine import configured
from recurra.tasks import TASKS
from recurra.tasks.base import FEW_ROWS

GESTURE = TASKS.get("gesture")
DRAW = np.random.default_rng(0)
WAVES = [np.sin(np.arange(30) * speed)[:, None] + DRAW.normal(0, 0.1, (30, 1)) for speed in (0.2, 0.6) * 20]
FRAME = pd.DataFrame({"series": WAVES, "label": ["slow", "fast"] * 20})
OPTIONS: dict[str, Any] = {"hidden": 6, "epochs": 2, "device": "cpu", "seed": 3}


def config(rows: int, data: dict[str, object], settings: dict[str, object]) -> RunConfig:
    frame = pd.DataFrame({"series": [[0.0]] * rows, "label": ["a"] * rows})
    splits = Splits("f.csv", frame, frame, None, {"series": "series", "label": "label"}, [], data)
    return configured(GESTURE, splits, settings)


def test_few_rows_have_settings_of_their_own_and_data_and_people_the_last_word() -> None:
    few, many = config(FEW_ROWS, {}, {}), config(FEW_ROWS + 1, {}, {})
    assert few.modality.warp == GESTURE.few["modality.warp"] > 0 == many.modality.warp
    assert few.training.epochs > many.training.epochs
    assert config(5, {"modality.warp": 0.0}, {}).modality == replace(few.modality, warp=0.0)
    assert config(5, {"modality.warp": 0.1}, {"modality.warp": 0.0}).modality.warp == 0


def test_all_rows_but_the_tests_are_trained_on_and_the_last_weights_kept(tmp_path) -> None:
    run = recurra.train("gesture", FRAME, out=tmp_path / "run", **OPTIONS)
    start, *_, end, _ = run.events
    assert start["data"]["rows"] == {"train": 36, "test": 4}
    assert not [event for event in run.events if event["event"] == "valid"]
    assert end["best_step"] == end["step"]
    assert run.splits.valid is None
    again = recurra.train("gesture", FRAME, out=run.path, resume=True, epochs=3)
    assert again.splits.train.equals(run.splits.train)
    with pytest.raises(InputError, match="no valid part"):
        run.evaluate(split="valid")
    with pytest.raises(InputError, match=r"training\.patience"):
        recurra.train("gesture", FRAME, out=tmp_path / "patient", **OPTIONS, patience=3)


def test_rows_for_validation_are_held_out_where_others_would_measure_nothing(tmp_path) -> None:
    run = recurra.train("gesture", FRAME, out=tmp_path / "run", **OPTIONS, test_fraction=0)
    assert run.events[0]["data"]["rows"] == {"train": 36, "valid": 4}
    assert run.events[-1]["split"] == "valid"
    given = replace(run.splits, test=run.splits.valid, cut=("test",))
    assert given.without_valid() is given


def losses(run: recurra.Run) -> list[float]:
    return [event["loss"] for event in run.events if event["event"] == "step"]


def test_what_is_varied_is_drawn_from_the_seed_and_in_training_alone(tmp_path) -> None:
    runs = {
        name: recurra.train("gesture", FRAME, out=tmp_path / name, **{**OPTIONS, **settings})
        for name, settings in {"a": {}, "b": {}, "seed": {"seed": 4}, "plain": {"warp": 0, "jitter": 0}}.items()
    }
    assert losses(runs["a"]) == losses(runs["b"])
    assert losses(runs["a"]) != losses(runs["plain"])
    assert losses(runs["a"]) != losses(runs["seed"])
    first, second = (runs["a"].evaluate(FRAME)["metrics"] for _ in range(2))
    assert first == second


def test_resumed_it_goes_on_with_the_same_variations(tmp_path) -> None:
    whole = recurra.train("gesture", FRAME, out=tmp_path / "whole", **OPTIONS, schedule="constant", log_steps=1)
    shorter = {**OPTIONS, "epochs": 1, "schedule": "constant", "log_steps": 1}
    part = recurra.train("gesture", FRAME, out=tmp_path / "part", **shorter)
    recurra.train("gesture", FRAME, out=part.path, resume=True, epochs=2)
    again = [json.loads(line) for line in (part.path / "metrics.jsonl").read_text().splitlines()]
    assert [event["loss"] for event in again if event["event"] == "step"] == losses(whole)


@pytest.mark.parametrize("task", [name for name, task in TASKS.all().items() if task.few])
def test_the_report_shows_the_nearest_warped_series_beside_it(task: str, tmp_path) -> None:
    run = recurra.train(task, FRAME, out=tmp_path / "run", **OPTIONS)
    beside = run.events[-1]["details"]["beside"]
    assert beside["1-nearest neighbour, warped"]["accuracy"] == 1.0
    assert "1-nearest neighbour, warped" in (run.path / "report.html").read_text()
