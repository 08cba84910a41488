"""Conformance of every task in the folder: a file of each form that its input has, predicted as JSON."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pytest
import torch

import recurra
from recurra.cli import main
from recurra.config import override, to_dict
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS
from recurra.timeline import Timeline, Window

LINE = Timeline("a", np.arange(60), np.sin(np.arange(60.0)) + 2, *[np.zeros((60, 0))] * 2)
SERIES = [[[0.5, 2.0], [1.5, -1.0]], [[3.0, 0.25]]]
# Two rows of each input, and the targets of any head.
ROWS: dict[str, list[Any]] = {
    "text": ["a good film", "bad"],
    "series": SERIES,
    "signal": SERIES,
    "symbols": ["ACG", "T"],
    "panel": [Window(LINE, 30, 3, 24), Window(LINE, 50, 3, 24)],
}
TARGETS = {
    "label": ["up", "down"],
    "number": [1.0, 2.5],
    "target": ["ein Film", "schlecht"],
    "other": ["a fine film", "good"],
    "score": ["5", "1"],
    "tags": [("u", "w"), ("w",)],
}
LOG = "subject,time,x,y\n" + "".join(f"{who},{t},{t}.5,-1\n" for who in "ab" for t in range(3))
POINTS = "unique_id,ds,cpu,disk\n" + "".join(f"{who},2024-01-01 0{t}:00,{t},1\n" for who in "ab" for t in range(9))
WIDE = ",".join(f"{c}{t}" for c in "xy" for t in range(5)) + "\n" + "0.5,1,2,3,4,5,6,7,8,9\n" * 2
LONG = "unique_id,ds,y\n" + "".join(f"{who},{t},{t % 5}\n" for who in "ab" for t in range(60))
# Of each input files, and the ids that they give.
FILES: dict[str, dict[str, tuple[str, list[str | None]]]] = {
    "text": {"rows.csv": ("id,text\nr1,a film\nr2,bad\n", ["r1", "r2"]), "lines.txt": ("a film\n", [None])},
    "series": {
        "log.csv": (LOG, ["a", "b"]),
        "wide.csv": (WIDE, [None, None]),
        "rows.ts": ("@data\n1,2:0.5,0.5\n3:1\n", [None, None]),
    },
    "signal": {
        "points.csv": (POINTS, ["a", "b"]),
        "rows.jsonl": ('{"id": "m1", "series": [[1, 2], [2, 3]]}\n', ["m1"]),
    },
    "symbols": {"reads.fasta": (">s1\nACG\n>s2 told\nT\n", ["s1", "s2"])},
    "panel": {"long.csv": (LONG, ["a", "b"])},
}
CASES = [(task, file) for task, kind in TASKS.all().items() for file in FILES[kind.input]]


def run(task: str, folder: Path) -> None:
    """A small run of the task that was never trained."""
    kind = TASKS.get(task)
    head, rows = HEADS.get(kind.output), ROWS[kind.input]
    small = {"trunk.hidden": 6, **({"modality.min_count": 1} if kind.input == "text" else {})}
    small |= {"trunk.embedding": 24, "head.hidden": 24, "head.longest": 5} if kind.output == "text" else {}
    small |= {"head.horizon": 3, "modality.steps": 24, "modality.season": 5} if kind.input == "panel" else {}
    config = override(defaults(kind), small)
    frame = pd.DataFrame({kind.roles[0]: rows, **TARGETS})
    read = [row for role in (kind.roles[0], *head.shared) for row in frame[role]]
    modality = MODALITIES.get(kind.input).fit(config.modality, read, running=head.running)
    torch.manual_seed(0)
    Model(config.model, modality, head.learn(config.head, frame), to_dict(config)).save(folder)


@pytest.fixture
def predict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """``recurra predict run`` in the test's folder, and what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments: str) -> str:
        words = ["recurra", "predict", "run", *arguments]
        with mock.patch.object(sys, "argv", words), pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        assert end.value.code == 0, said.err
        return str(said.out)

    return call


@pytest.mark.parametrize(("task", "file"), CASES, ids=str)
def test_a_file_is_predicted_as_json_and_each_row_says_which_it_is(
    task: str, file: str, tmp_path: Path, predict: Callable[..., str]
) -> None:
    kind = TASKS.get(task)
    text, ids = FILES[kind.input][file]
    (tmp_path / file).write_text(text)
    run(task, tmp_path / "run")
    column = ["--column", "series=x0:x4,y0:y4"] if file == "wide.csv" else []
    column += ["--column", "series=cpu,disk"] if file == "points.csv" else []
    found = [json.loads(line) for line in predict("--file", file, "--json", *column).splitlines()]
    assert [one.get("id") for one in found] == ids
    assert kind.input == "panel" or all(one["input"] for one in found)
    plain = predict("--file", file, *column)
    assert all(id in plain for id in ids if id)


def test_alarms_have_the_times_of_the_file(tmp_path: Path, predict: Callable[..., str]) -> None:
    values = [f"2024-03-01 00:{t:02},{9 if t == 40 else t % 3},{t % 5}\n" for t in range(60)]
    (tmp_path / "points.csv").write_text("timestamp,a,b\n" + "".join(values))
    kind = TASKS.get("anomaly")
    config = override(defaults(kind), {"trunk.hidden": 6, "head.warm": 30, "head.alarm_rate": 0.2})
    modality = MODALITIES.get("signal").fit(config.modality, SERIES)
    Model(config.model, modality, {}, to_dict(config)).save(tmp_path / "run")
    found = json.loads(predict("--file", "points.csv", "--json"))
    assert 40 in found["alarms"]
    assert found["times"] == [f"2024-03-01 00:{t:02}:00" for t in found["alarms"]]
    assert "40 (2024-03-01 00:40:00)" in predict("--file", "points.csv")


@pytest.mark.parametrize(
    ("task", "input", "says"),
    [("anomaly", "points.csv", "points.csv: a file; its rows are predicted with --file points.csv"),
     ("dna", "", "input 1: expected symbols, got nothing"), ("gesture", " ", "input 1: expected series, got nothing")],
)  # fmt: skip
def test_an_input_that_is_none_is_refused(
    task: str,
    input: str,
    says: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "points.csv").write_text(POINTS)
    run(task, tmp_path / "run")
    with mock.patch.object(sys, "argv", ["recurra", "predict", "run", input]), pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err == f"recurra: {says}\n"


def test_a_frame_is_predicted_as_its_file_is(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(LOG)
    run("gesture", tmp_path / "run")
    trained = recurra.load(tmp_path / "run")
    found, expected = trained.predict(pd.read_csv(tmp_path / "log.csv")), trained.predict_file(tmp_path / "log.csv")
    assert [one["id"] for one in found] == ["a", "b"]
    assert [one["probabilities"] for one in found] == [one["probabilities"] for one in expected]
