"""The command line, called as a user calls it."""

import contextlib
import io
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pandas as pd
import pytest

from recurra.cli import COMMANDS, main

SMALL = ["--hidden", "8", "--set", "device=cpu", "--set", "batch_tokens=256"]
RECURRA = [sys.executable, "-c", "from recurra.cli import main; main()"]


@dataclass(frozen=True)
class Result:
    returncode: int
    stdout: str
    stderr: str


def recurra(*arguments: str | Path, cwd: Path | None = None, input: str = "") -> Result:
    """The program, in this process: starting a new one for each call would take the tests minutes."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.chdir(cwd or "."),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["recurra", *map(str, arguments)]),
        mock.patch.object(sys, "stdin", io.StringIO(input)),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return Result(end.value.code, out.getvalue(), err.getvalue())


def fails(*arguments: str | Path, cwd: Path | None = None) -> str:
    """The one line that a wrong call is answered with."""
    result = recurra(*arguments, cwd=cwd)
    assert result.returncode == 2, result.stderr
    assert result.stdout == ""
    lines = result.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith("recurra: "), result.stderr
    return lines[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A folder with data and two trained runs."""
    folder = tmp_path_factory.mktemp("cli")
    rows = [f"{'good' if i % 2 else 'bad'} film {i % 7},{'up' if i % 2 else 'down'}" for i in range(80)]
    (folder / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")
    (folder / "text.txt").write_text("the cat sat on the mat\n" * 200)
    for task, data in (("sentiment", "reviews.csv"), ("language-model", "text.txt")):
        result = recurra("train", task, data, "--out", task, "--epochs", "3", *SMALL, cwd=folder)
        assert result.returncode == 0, result.stderr
        assert result.stdout == ""
    return folder


def test_every_command_has_help_with_an_example():
    for command in COMMANDS:
        result = recurra(command, "--help")
        assert result.returncode == 0
        assert f"Example: recurra {command}" in re.sub(r"\s+", " ", result.stdout)


def test_tells_its_version():
    from recurra import __version__

    result = recurra("--version")
    assert (result.returncode, result.stdout) == (0, f"recurra {__version__}\n")


def test_lists_tasks_and_data_sets():
    for command, name in (("tasks", "sentiment"), ("datasets", "pydoc")):
        assert name in recurra(command).stdout
        listed = [json.loads(line) for line in recurra(command, "--json").stdout.splitlines()]
        assert name in [entry["name"] for entry in listed]


def test_help_and_import_load_no_torch():
    code = (
        "import sys; sys.argv = ['recurra', '--help']; import recurra; from recurra.cli import main\n"
        "try: main()\n"
        "finally: print(sorted({'torch', 'pandas', 'numpy'} & sys.modules.keys()))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.splitlines()[-1] == "[]"


def test_evaluates_to_one_json_object(folder):
    result = recurra("evaluate", "sentiment", "--json", cwd=folder)
    (line,) = result.stdout.splitlines()
    found = json.loads(line)
    assert list(found) == ["task", "data", "split", "metrics", "beside"]
    assert found["task"] == "sentiment"
    assert set(found["metrics"]) == {"accuracy", "macro_f1", "nats"}
    on_file = json.loads(recurra("evaluate", "sentiment", "reviews.csv", "--json", cwd=folder).stdout)
    assert on_file["data"] == "reviews.csv"
    assert "perplexity" in recurra("evaluate", "language-model", cwd=folder).stdout


def test_explains_in_numbers_and_on_a_terminal_in_colours(folder):
    (row,) = recurra("predict", "sentiment", "good film", "--explain", "--json", cwd=folder).stdout.splitlines()
    found = json.loads(row)
    assert found["tokens"] == ["good", "film"] and len(found["contributions"]) == 2
    plain = recurra("predict", "sentiment", "good film", "", "--explain", cwd=folder).stdout
    assert f"  good {found['contributions'][0]:+.3g}  film {found['contributions'][1]:+.3g}\n" in plain
    assert f"to {found['score']:+.3g}\n" in plain
    assert "\x1b" not in plain
    with mock.patch.dict(os.environ, {"FORCE_COLOR": "1", "COLORTERM": "truecolor"}):
        coloured = recurra("predict", "sentiment", "good film", "--explain", cwd=folder).stdout
    assert re.search(r"\x1b\[30;48;2;\d+;\d+;\d+mgood", coloured)
    assert "no explanation" in fails("predict", "language-model", "the cat", "--explain", cwd=folder)


def test_predicts_arguments_lines_and_files(folder):
    (row,) = recurra("predict", "sentiment", "good film", "--json", cwd=folder).stdout.splitlines()
    assert json.loads(row)["input"] == "good film"
    assert set(json.loads(row)["probabilities"]) == {"up", "down"}
    lines = recurra("predict", "sentiment", cwd=folder, input="good\nbad\n\n").stdout.splitlines()
    assert [line.split("\t")[2] for line in lines] == ["good", "bad", ""]
    assert len(recurra("predict", "sentiment", "--file", "reviews.csv", cwd=folder).stdout.splitlines()) == 80
    assert "the" in recurra("predict", "language-model", "the cat sat on the", cwd=folder).stdout


def test_predictions_go_to_a_file_of_any_form(folder, tmp_path):
    def written(run: str, name: str, *inputs: str) -> Path:
        result = recurra("predict", run, *inputs, "--out", tmp_path / name, cwd=folder)
        assert (result.returncode, result.stdout) == (0, ""), result.stderr
        assert f"{len(inputs)} rows, input, " in result.stderr
        return tmp_path / name

    columns = ["input", "label", "probability", "probabilities.down", "probabilities.up"]
    for name, read in (("a.csv", pd.read_csv), ("a.tsv", pd.read_table), ("a.parquet", pd.read_parquet)):
        found = read(written("sentiment", name, "good film", "bad, film"))
        assert list(found) == columns and found["input"].tolist() == ["good film", "bad, film"]
    lines = written("language-model", "a.jsonl", "the cat sat on the").read_text(encoding="utf-8").splitlines()
    tokens = [one["token"] for one in json.loads(lines[0])["next"]]
    nested = pd.read_csv(written("language-model", "b.csv", "the cat sat on the"))
    assert tokens and [one["token"] for one in json.loads(nested["next"][0])] == tokens
    assert "expected a name that ends in .csv" in fails("predict", "sentiment", "a", "--out", "a.xls", cwd=folder)
    assert "no such folder" in fails("predict", "sentiment", "a", "--out", "none/a.csv", cwd=folder)
    assert "not for sentiment" in fails("predict", "sentiment", "a", "--level", "80", cwd=folder)
    assert "expected numbers" in fails("predict", "sentiment", "a", "--level", "wide", cwd=folder)
    assert "not both" in fails("predict", "sentiment", "a", "--json", "--out", "a.csv", cwd=folder)


def test_columns_may_be_named_and_what_was_left_out_is_said(folder, tmp_path):
    (tmp_path / "other.csv").write_text("verdict,one,two\nup,good film,x\ndown,,y\n")
    names = ["--column", "text=one", "--column", "label=verdict"]
    result = recurra("evaluate", "sentiment", tmp_path / "other.csv", *names, "--json", cwd=folder)
    assert set(json.loads(result.stdout)["metrics"]) == {"accuracy", "macro_f1", "nats"}
    assert "1 of 2 rows" in result.stderr
    lines = recurra("predict", "sentiment", "--file", tmp_path / "other.csv", "--column", "text=one", cwd=folder)
    assert [line.split("\t")[2] for line in lines.stdout.splitlines()] == ["good film", ""]


def test_generates(folder):
    call = ("generate", "language-model", "--prompt", "the ", "--length", "30", "--seed", "4")
    first = recurra(*call, cwd=folder)
    assert first.returncode == 0
    assert first.stdout.startswith("the ")
    assert len(first.stdout) == 4 + 30 + 1
    assert recurra(*call, cwd=folder).stdout == first.stdout


def test_searches_documents_that_are_given_once(folder):
    asked = [f"where is room {i},room {i} is on floor {i % 3}" for i in range(40)]
    (folder / "questions.csv").write_text("question,answer\n" + "\n".join(asked) + "\n")
    (folder / "rooms.csv").write_text("key,text\n" + "".join(f"k{i},room {i} is on floor {i % 3}\n" for i in range(9)))
    column = ["--column", "other=answer"]
    result = recurra("train", "search", "questions.csv", *column, "--out", "rooms", "--epochs", "2", *SMALL, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert fails("search", "rooms", "room 3", cwd=folder).endswith("(--data FILE)")
    data = ["--data", "rooms.csv", "--column", "id=key"]
    made = recurra("search", "rooms", "room 3 is on floor 0", *data, "--top", "2", "--json", cwd=folder)
    assert made.returncode == 0 and "9 documents of rooms.csv: index in rooms/index" in made.stderr
    hits = [json.loads(line) for line in made.stdout.splitlines()]
    assert [hit["rank"] for hit in hits] == [1, 2] and hits[0]["id"] == "k3"
    again = recurra("search", "rooms", "room 3 is on floor 0", "--hybrid", cwd=folder)
    assert again.returncode == 0 and again.stderr == ""
    assert again.stdout.splitlines()[1].split()[2:] == ["k3", "room", "3", "is", "on", "floor", "0"]
    assert "give both" in fails("search", "rooms", "room", "--column", "id=key", cwd=folder)
    assert "only vectors are searched" in fails("search", "sentiment", "film", "--data", "rooms.csv", cwd=folder)
    vector = recurra("predict", "rooms", "room 3", cwd=folder).stdout.split("\t")[0].split()
    assert sum(float(element) ** 2 for element in vector) == pytest.approx(1, abs=1e-2)


def test_rebuilds_the_report(folder):
    (folder / "sentiment" / "report.html").unlink()
    assert recurra("report", "sentiment", cwd=folder).stdout.strip().endswith("report.html")
    assert "what was trained on what" in (folder / "sentiment" / "report.html").read_text().lower()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "sentimant", "reviews.csv"], "did you mean 'sentiment'"),
        (["train", "sentiment", "review.csv"], "review.csv"),
        (["train", "sentiment", "empty.csv"], "empty.csv"),
        (["train", "sentiment", "latin.csv"], "data.encoding"),
        (["train", "sentiment", "reviews.csv", "--column", "text=reviw"], "review"),
        (["train", "sentiment", "reviews.csv", "--column", "text"], "ROLE=NAME"),
        (["train", "sentiment", "reviews.csv", "--column", "txt=review"], "txt"),
        (["train", "sentiment", "reviews.csv", "--set", "training.rat=1"], "training.rate"),
        (["train", "sentiment", "reviews.csv", "--set", "rate=fast"], "expected float, got 'fast'"),
        (["train", "sentiment", "reviews.csv", "--cell", "lsmt"], "did you mean 'lstm'"),
        (["train", "sentiment", "reviews.csv", "--config", "none.toml"], "none.toml"),
        (["train", "sentiment", "reviews.csv", "--test", "none.csv"], "none.csv"),
        (["train", "sentiment", "reviews.csv", "--test", "other.csv"], "sideways"),
        (["train", "sentiment", "one.csv"], "only one value"),
        (["train", "sentiment", "reviews.csv", "--hiden", "3"], "--hiden"),
        (["train", "sentiment", "reviews.csv", "--hidden", "many"], "trunk.hidden: expected int, got 'many'"),
        (["train", "sentiment", "reviews.csv", "--hidden", "8,9", "--cell", "gru,lstm,gru"], "one entry for each"),
        (["train", "sentiment", "reviews.csv", "--cell", "gru,lsmt"], "did you mean 'lstm'"),
        (["train"], "task"),
        (["evaluate", "nowhere"], "no such run folder"),
        (["evaluate", "sentiment", "other.csv"], "row 2, column stars: 'sideways' never occurs in training"),
        (["predict", "sentiment", "--file", "none.csv"], "none.csv"),
        (["generate", "sentiment"], "needs a language model"),
        (["generate", "language-model", "--prompt", "ΩΩ"], "has never seen 'Ω'"),
        (["generate", "language-model", "--top-p", "2"], "top_p"),
        (["report", "nowhere"], "nowhere"),
        (["learn"], "learn"),
    ],
)  # fmt: skip
def test_a_wrong_call_is_answered_in_one_line_and_changes_nothing(folder, arguments, says):
    (folder / "empty.csv").write_text("")
    (folder / "latin.csv").write_bytes("review,stars\ncaf\xe9,up\nno,down\n".encode("latin-1") * 20)
    (folder / "other.csv").write_text("review,stars\ngood,up\nhm,sideways\n")
    (folder / "one.csv").write_text("review,stars\n" + "\n".join(f"good {i},up" for i in range(40)))
    before = sorted(p.name for p in folder.iterdir())
    extra = ["--out", "new"] if arguments[0] == "train" and len(arguments) > 1 else []
    assert says in fails(*arguments, *extra, cwd=folder)
    assert sorted(p.name for p in folder.iterdir()) == before


def test_an_existing_or_unwritable_folder_is_refused(folder):
    assert "already exists" in fails("train", "sentiment", "reviews.csv", "--out", "sentiment", cwd=folder)
    assert "cannot be written" in fails("train", "sentiment", "reviews.csv", "--out", "text.txt/run", cwd=folder)


def test_answers_as_a_program_too(folder):
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    call = ["predict", "sentiment", "good film"]
    good = subprocess.run([*RECURRA, *call], cwd=folder, env=environment, capture_output=True, text=True)
    assert good.returncode == 0
    assert good.stdout.endswith("\tgood film\n")
    bad = subprocess.run([*RECURRA, "evaluate", "nowhere"], cwd=folder, capture_output=True, text=True)
    assert bad.returncode == 2
    assert len(bad.stderr.splitlines()) == 1


@pytest.fixture
def start(folder):
    """Starts trainings as processes of their own; none is left behind, whatever happens."""
    started: list[subprocess.Popen] = []

    def call(out: str, *more: str) -> subprocess.Popen:
        words = [*RECURRA, "train", "language-model", "--out", out, *more]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        started.append(process)
        return process

    yield call
    for process in started:
        process.kill()
        process.wait()
        process.stderr.close()


def wait_for(condition, seconds: float = 300.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


SLOW = ["text.txt", "--epochs", "20", "--hidden", "48", "--set", "device=cpu", "--set", "batch_tokens=128", "--set",
        "truncation=16", "--set", "checkpoint_seconds=0.05", "--set", "trunk.dropout=0.2", "--seed", "3"]  # fmt: skip


def test_a_killed_training_resumes_to_the_same_numbers_bit_for_bit(folder, start):
    _, errors = start("whole", *SLOW).communicate()
    assert (folder / "whole" / "report.html").exists(), errors
    checkpoint = folder / "killed" / "checkpoint" / "last.safetensors"
    process = start("killed", *SLOW)
    for _ in range(2):
        # Killed twice, each time in the middle of an epoch, some steps after a checkpoint.
        wait_for(checkpoint.exists)
        written = checkpoint.stat().st_mtime_ns
        wait_for(lambda: checkpoint.stat().st_mtime_ns != written)  # noqa: B023
        process.kill()
        assert process.wait() == -signal.SIGKILL
        events = (folder / "killed" / "metrics.jsonl").read_text()
        assert '"end"' not in events
        process = start("killed", "--resume")
    _, errors = process.communicate()
    assert process.returncode == 0, errors

    def weights(run: str) -> bytes:
        return (folder / run / "model.safetensors").read_bytes()

    def figures(run: str) -> list[dict[str, object]]:
        times = {"seconds", "tokens_per_second", "time", "command"}
        lines = (folder / run / "metrics.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k not in times} for line in lines]

    assert weights("killed") == weights("whole")
    assert figures("killed") == figures("whole")


def test_ctrl_c_keeps_the_best_weights_and_resumes(folder, start):
    process = start("stopped", *SLOW, "--epochs", "500")
    wait_for((folder / "stopped" / "model.safetensors").exists)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0
    assert "interrupted; the weights so far are kept" in errors
    assert recurra("generate", "stopped", "--length", "5", cwd=folder).returncode == 0
    assert (folder / "stopped" / "report.html").exists()
    end = json.loads((folder / "stopped" / "metrics.jsonl").read_text().splitlines()[-2])
    more = str(math.floor(end["epoch"]) + 1)
    result = recurra("train", "language-model", "--out", "stopped", "--resume", "--epochs", more, cwd=folder)
    assert result.returncode == 0, result.stderr
    assert "complete" in fails("train", "language-model", "--out", "stopped", "--resume", cwd=folder)
    assert "only epochs and minutes" in fails(
        "train", "language-model", "--out", "stopped", "--resume", "--hidden", "9", cwd=folder
    )
