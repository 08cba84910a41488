"""The doctor finds what is wrong, and nothing where nothing is."""

import json
import os

import pytest
import torch
from typer.testing import CliRunner

import recurra
from recurra import compile, doctor
from recurra.cells import CELLS
from recurra.cli import application
from recurra.compile import objects


def test_all_is_well_here_and_every_cell_is_tried():
    found = list(doctor.checks())
    assert [c for c in found if not c.ok] == []
    assert {c.name.split()[0] for c in found} == {"torch", "kernel", *CELLS.names()}


def test_the_users_cache_is_left_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    compiled, kept = doctor._build_seconds(CELLS.get("rnn-tanh"), torch.float32)
    assert kept < compiled
    assert os.environ["RECURRA_CACHE"] == str(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("version", "ok"), [("2.10.1", False), ("2.11.0", True), ("2.13.0+cpu", True), ("2.14.0a0", False)]
)
def test_torchs_version(version, ok, monkeypatch):
    monkeypatch.setattr(torch, "__version__", version)
    assert doctor._torch().ok is ok


def test_a_cache_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "file"))
    check = doctor._cache()
    assert not check.ok and "set RECURRA_CACHE" in check.detail


def test_a_kernel_that_errs_or_fails(monkeypatch):
    c = CELLS.get("gru")
    monkeypatch.setattr(
        doctor, "unroll", lambda *a: (lambda y, s: (y.with_values(y.values + 1e-3), s))(*compile.unroll(*a))
    )
    check = doctor._cell("gru", c, torch.float32)
    assert not check.ok and "NOT as the reference" in check.detail
    monkeypatch.setattr(objects, "addresses", lambda *_, **__: 1 / 0)
    check = doctor._cell("gru", c, torch.float32)
    assert not check.ok and "ZeroDivisionError" in check.detail


def test_the_command_tells_the_machine_the_checks_and_a_runs_layers(tmp_path, monkeypatch):
    monkeypatch.setattr(doctor, "TOLERANCE", {torch.float32: 1e-5})  # both types are tried above
    (tmp_path / "text.txt").write_text("the cat sat on the mat\n" * 60)
    recurra.train("language-model", tmp_path / "text.txt", out=tmp_path / "run", epochs=1, hidden=8, device="cpu")
    result = CliRunner().invoke(application(), ["doctor", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    found = json.loads(result.stdout)
    assert found["machine"].keys() == doctor.machine().keys()
    assert all(check["ok"] for check in found["checks"])
    assert [(k["name"], k["path"]) for k in found["kernels"]] == [("trunk.layers.0", "kernel")]

    monkeypatch.setattr(doctor, "checks", lambda: iter([doctor.Check("cell", False, "wrong")]))
    result = CliRunner().invoke(application(), ["doctor"], catch_exceptions=False)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[-1].split() == ["FAILED", "cell", "wrong"]
