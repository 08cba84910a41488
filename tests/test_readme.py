"""The README's commands and code do what they say."""

import contextlib
import re
import shlex
import sys
from pathlib import Path
from unittest import mock

import pytest

from recurra.cli import main

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def folder(tmp_path):
    rows = [f"{'good' if i % 2 else 'bad'} film {i % 9},{'up' if i % 2 else 'down'}" for i in range(60)]
    (tmp_path / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")
    with contextlib.chdir(tmp_path):
        yield tmp_path


def test_the_commands(folder, capsys):
    lines = [line for block in blocks("sh") for line in block.splitlines()]
    calls = [shlex.split(line, comments=True) for line in lines if line.startswith("recurra ")]
    assert len(calls) >= 3
    for call in calls:
        with mock.patch.object(sys, "argv", call), pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 0, capsys.readouterr().err


def test_make_has_the_verbs_it_names():
    verbs = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    makefile = (ROOT / "Makefile").read_text()
    assert {"demo", "test"} <= set(verbs)
    assert all(re.search(rf"^{verb}:", makefile, re.MULTILINE) for verb in verbs)


def test_the_code(folder, capsys):
    names = {"__name__": "readme"}
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), names)
    out = capsys.readouterr().out
    assert "accuracy" in out
    assert "torch.Size([128])" in out


def test_the_picture_is_there():
    assert all((ROOT / path).is_file() for path in re.findall(r"!\[.*?\]\((.*?)\)", README))
