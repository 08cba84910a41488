"""Translation from parallel files, as a user calls it."""

import contextlib
import io
import json
import sys
from pathlib import Path
from unittest import mock

import pytest

from recurra.cli import main

SMALL = ["--hidden", "8", "--set", "head.hidden=8", "--set", "head.beam=2", "--set", "device=cpu", "--epochs", "1"]
COLUMNS = ["--column", "text=de", "--column", "target=en"]


def recurra(*arguments: str | Path) -> tuple[int, str, str]:
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["recurra", *map(str, arguments)]),
        pytest.raises(SystemExit) as end,
    ):
        main()
    return end.value.code, out.getvalue(), err.getvalue()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    german = ["eins", "zwei", "drei", ""]
    english = ["one", "two", "three", "four"]
    for part, count in (("train", 40), ("val", 8)):
        (folder / f"{part}.de").write_text(
            "".join(f"{german[i % 4]} {i}\n" if i % 4 < 3 else "\n" for i in range(count))
        )
        (folder / f"{part}.en").write_text("".join(f"{english[i % 4]} {i}\n" for i in range(count)))
    options = ["--valid", folder / "val", "--out", folder / "run", "--set", "data.test_fraction=0"]
    code, _, err = recurra("train", "translation", folder / "train", *COLUMNS, *options, *SMALL)
    assert code == 0, err
    assert "10 of 40 rows left out: 10 without text" in err
    return folder


def test_a_translation_comes_with_its_reason(corpus):
    code, out, err = recurra("predict", corpus / "run", "zwei 7", "--explain", "--json")
    assert code == 0, err
    answer = json.loads(out)
    assert answer["input"] == "".join(answer["read"]) == "zwei 7"
    assert len(answer["attention"]) == len(answer["units"])
    code, out, _ = recurra("predict", corpus / "run", "zwei 7", "--explain")
    first, *reason = out.splitlines()
    assert code == 0
    assert "zwei 7" in "\n".join([first, *reason])


def test_it_is_measured_on_parallel_files_and_read_from_one(corpus):
    code, out, err = recurra("evaluate", corpus / "run", corpus / "val", "--json")
    assert code == 0, err
    metrics = json.loads(out)["metrics"]
    assert set(metrics) == {"bleu", "exact", "nats_per_token", "perplexity"}
    code, out, err = recurra("predict", corpus / "run", "--file", corpus / "val.de", "--json")
    assert code == 0, err
    # Empty lines are read as empty texts, so that line for line there is an answer.
    assert [json.loads(line)["input"] for line in out.splitlines()][:4] == ["eins 0", "zwei 1", "drei 2", ""]


def test_files_of_unequal_length_are_named_with_the_line(corpus, tmp_path):
    (tmp_path / "train.de").write_text("eins\nzwei\ndrei\n")
    (tmp_path / "train.en").write_text("one\ntwo\n")
    code, _, err = recurra("train", "translation", tmp_path / "train", *COLUMNS, "--out", tmp_path / "run")
    assert code == 2
    assert "train.de, line 3: has no counterpart" in err
    assert not (tmp_path / "run").exists()
