"""What a training is asked to go on with, and what it refuses before anything is changed."""

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import recurra
from recurra.cells import CELLS
from recurra.errors import InputError, RunError

SMALL: dict[str, Any] = {"hidden": 8, "epochs": 2, "batch_tokens": 256, "device": "cpu"}
TEXT = pd.DataFrame({"text": [f"the cat {i} sat on the mat" for i in range(60)]})


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("resume")
    TEXT.to_csv(folder / "text.csv", index=False)
    return recurra.train("language-model", folder / "text.csv", out=folder / "run", **SMALL).path


@pytest.fixture
def run(trained, tmp_path) -> Path:
    return Path(shutil.copytree(trained, tmp_path / "run"))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def end(folder: Path) -> dict[str, Any]:
    events = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return next(e for e in reversed(events) if e["event"] == "end")


def test_goes_on_for_more_epochs(run):
    recurra.train("language-model", out=run, resume=True, epochs=3)
    assert (end(run)["reason"], end(run)["epoch"]) == ("epochs", 3)


def test_epochs_lift_a_limit_in_minutes_that_is_over(tmp_path):
    options = {k: v for k, v in SMALL.items() if k != "epochs"}
    run = recurra.train("language-model", TEXT, out=tmp_path / "run", minutes=0.005, patience=0, **options)
    assert end(run.path)["reason"] == "minutes"
    epochs = int(end(run.path)["epoch"]) + 2
    recurra.train("language-model", TEXT, out=run.path, resume=True, epochs=epochs)
    assert (end(run.path)["reason"], end(run.path)["epoch"]) == ("epochs", epochs)


@pytest.mark.parametrize(
    ("task", "options", "error", "message"),
    [
        ("language-model", {}, InputError, r"its training is complete \(epochs\); give more"),
        ("language-model", {"epochs": 1}, InputError, "already trained for 2 epochs"),
        ("language-model", {"minutes": 1e-6}, InputError, "already trained for .* minutes"),
        ("language-model", {"hidden": 9}, InputError, "only epochs and minutes"),
        ("topic", {"epochs": 3}, InputError, "a run of language-model, not of topic"),
    ],
)
def test_what_cannot_go_on_is_left_as_it_is(run, task, options, error, message):
    before = contents(run)
    with pytest.raises(error, match=message):
        recurra.train(task, out=run, resume=True, **options)
    assert contents(run) == before


def test_a_damaged_or_missing_checkpoint_is_refused(run):
    file = run / "checkpoint" / "last.safetensors"
    file.write_bytes(b"not a checkpoint")
    before = contents(run)
    with pytest.raises(RunError, match="not a readable checkpoint"):
        recurra.train("language-model", out=run, resume=True, epochs=5)
    assert contents(run) == before
    file.unlink()
    with pytest.raises(RunError, match="nothing to go on from"):
        recurra.train("language-model", out=run, resume=True, epochs=5)


@pytest.mark.parametrize("cell", CELLS.names())
def test_a_task_trains_with_every_cell(cell, tmp_path):
    """Its gate biases are for the cells that have the gates."""
    more = {"projection": 4} if CELLS.get(cell).projects else {}
    run = recurra.train("language-model", TEXT, out=tmp_path / "run", cell=cell, **{**SMALL, **more, "epochs": 1})
    assert set(run.config.trunk.gate_bias) <= set(CELLS.get(cell).gates)


def test_a_runs_own_configuration_is_a_recipe(trained, tmp_path):
    again = recurra.train("language-model", out=tmp_path / "again", config=trained / "config.toml")
    assert (again.path / "model.safetensors").read_bytes() == (trained / "model.safetensors").read_bytes()


def test_the_command_to_rerun_needs_no_more_than_the_data(tmp_path):
    run = recurra.train("language-model", TEXT, out=tmp_path / "run", gate_bias={"f": 0.5}, **SMALL)
    command = run.events[0]["command"]
    assert command.startswith("recurra train language-model DATA ")
    assert "--set gate_bias.f=0.5" in command
    assert "--out" not in command


def test_a_seed_out_of_range(tmp_path):
    with pytest.raises(InputError, match="seed: expected 0 up to"):
        recurra.train("language-model", TEXT, out=tmp_path / "run", seed=-1, **SMALL)


def test_an_unknown_beginning_of_the_test_text_costs_no_training(tmp_path):
    TEXT.to_csv(tmp_path / "train.csv", index=False)
    pd.DataFrame({"text": ["Ω the cat sat", "the mat"]}).to_csv(tmp_path / "test.csv", index=False)
    run = recurra.train(
        "language-model", tmp_path / "train.csv", out=tmp_path / "run", test=str(tmp_path / "test.csv"), **SMALL
    )
    samples = run.events[-1]["details"]["samples"]
    assert {sample["prompt"] for sample in samples} == {""}
    assert all(sample["text"] for sample in samples)
