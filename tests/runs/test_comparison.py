"""Several cells on the same data with equally many parameters."""

import contextlib
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import recurra
from recurra.cells import CELLS
from recurra.errors import InputError, RunError, UnknownNameError
from recurra.report.events import read

SMALL = {"epochs": 1, "device": "cpu", "batch_tokens": 256}


@pytest.fixture
def frame(tmp_path) -> pd.DataFrame:
    draw = np.random.default_rng(0)
    rows = [draw.normal(size=(draw.integers(2, 9), 2)) for _ in range(60)]
    with contextlib.chdir(tmp_path):
        yield pd.DataFrame({"series": rows, "number": [row.sum() for row in rows]})


def test_every_cell_comes_as_near_to_the_parameters_as_units_allow(frame):
    found = list(recurra.compare("regression", frame, cells=CELLS.names(), parameters=2000, out="all", **SMALL))
    assert [one.cell for one in found] == CELLS.names()
    for one in found:
        model = recurra.load(one.run).model
        assert model.parameter_count == one.parameters == pytest.approx(2000, rel=0.06), one
        assert model.config.trunk.hidden == one.hidden
        assert one.metrics["rmse"] > 0 and one.reason == "epochs"


def test_the_first_cell_says_how_many_parameters_where_nobody_does(frame):
    lstm, gru = recurra.compare("regression", frame, cells=["lstm", "gru"], hidden=12, out="two", **SMALL)
    assert lstm.hidden == 12
    assert gru.hidden > 12
    assert gru.parameters == pytest.approx(lstm.parameters, rel=0.08)
    one, other = (read(Path(found.run)).start for found in (lstm, gru))
    assert one["data"] == other["data"]


def test_what_a_cell_has_no_part_for_is_left_out_and_said(frame):
    settings = {"trunk.gate_bias.f": 2.0, "chrono": 30, "trunk.heads": 2}
    lstm, slstm, rnn = recurra.compare(
        "regression", frame, cells=["lstm", "slstm", "rnn-tanh"], parameters=900, settings=settings, **SMALL
    )
    assert lstm.without == ("trunk.heads",)
    assert slstm.without == () and slstm.hidden % 2 == 0
    assert set(rnn.without) == settings.keys()
    trunk = recurra.load(slstm.run).config.trunk
    assert (trunk.gate_bias, trunk.chrono, trunk.heads) == ({"f": 2.0}, 30, 2)


def test_it_is_gone_on_with_and_what_is_done_is_not_trained_again(frame):
    again = {"cells": ["gru", "mgu"], "parameters": 600, "out": "on", **SMALL}
    first = next(recurra.compare("regression", frame, **again))
    before = (recurra.load(first.run).path / "metrics.jsonl").read_text()
    with pytest.raises(RunError, match="on: already exists; choose another folder, or go on with its runs"):
        recurra.compare("regression", frame, **again)
    gru, mgu = recurra.compare("regression", frame, resume=True, **again)
    assert gru == first
    assert mgu.metrics
    assert (recurra.load(gru.run).path / "metrics.jsonl").read_text() == before
    (other,) = recurra.compare("regression", frame, resume=True, **{**again, "cells": ["gru"], "parameters": 900})
    assert not other.metrics
    assert "compare into another folder" in other.reason


def test_a_cell_that_fails_does_not_keep_the_others_from_it(frame):
    wild = {"rate": 1e30, "clip_norm": 0, "epochs": 3, "device": "cpu", "warmup": 0}
    wild |= {"cells": ["rnn-relu", "gru"], "parameters": 600, "out": "wild"}
    found = list(recurra.compare("regression", frame, **wild))
    assert [one.cell for one in found] == ["rnn-relu", "gru"]
    assert "no longer a number" in found[0].reason
    assert not found[0].metrics
    assert list(recurra.compare("regression", frame, resume=True, **wild)) == found


def test_mistakes_are_found_before_anything_is_trained(frame, tmp_path):
    with pytest.raises(UnknownNameError, match="unknown cell 'grru': did you mean 'gru'"):
        recurra.compare("regression", frame, cells=["lstm", "grru"], out="out")
    with pytest.raises(
        InputError, match=r"parameters: expected at least \d+, which lstm has with 1 hidden units, got 9"
    ):
        recurra.compare("regression", frame, cells=["lstm"], parameters=9, out="out")
    for cells in ([], ["gru", "gru"]):
        with pytest.raises(InputError, match="cells: expected names, each once"):
            recurra.compare("regression", frame, cells=cells, out="out")
    assert not (tmp_path / "out").exists()


def test_the_command_prints_a_table_the_best_first_or_json(frame, tmp_path, capsys, monkeypatch):
    from recurra.cli import main

    frame.to_json("data.jsonl", orient="records", lines=True)
    words = "compare regression data.jsonl --cells gru,lstm --parameters 500 --epochs 1 --set device=cpu --out c"
    for more in ("", " --resume --json"):
        monkeypatch.setattr("sys.argv", ["recurra", *words.split(), *more.split()])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0
        if not more:
            head, *rows = capsys.readouterr().out.splitlines()
            assert head.split() == ["cell", "hidden", "parameters", "mae", "rmse", "mse", "minutes", "ended", "without"]
            assert sorted(row.split()[0] for row in rows) == ["gru", "lstm"]
            assert float(rows[0].split()[4]) <= float(rows[1].split()[4])
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [one["cell"] for one in found] == ["gru", "lstm"]
    assert all(one["metrics"]["rmse"] > 0 for one in found)
