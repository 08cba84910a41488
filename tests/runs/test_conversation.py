"""Conversations with a run, from Python and from the command line."""

import io
import json
import sys

import pandas as pd
import pytest

import recurra
from recurra.cli import main
from recurra.errors import InputError

# The reply to "again" is what was said before it: nothing in the prompt itself tells.
PAIRS = [("red", "warm"), ("blue", "cold")]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    rows = []
    for i in range(24):
        said, reply = PAIRS[i % 2]
        rows += [(said, reply, f"{i}"), ("again", reply, f"{i}")]
    frame = pd.DataFrame(rows, columns=["text", "target", "dialogue"])
    path = tmp_path_factory.mktemp("chat") / "run"
    small = {
        "trunk__hidden": 32,
        "head__hidden": 32,
        "trunk__embedding": 32,
        "head__tied": False,
        "head__beam": 1,
        "rate": 0.02,
        "batch_tokens": 40,
    }
    small |= {
        "trunk__dropout": 0,
        "trunk__input_dropout": 0,
        "head__dropout": 0,
        "head__label_smoothing": 0,
        "device": "cpu",
    }
    return recurra.train("chat", frame, out=path, epochs=10, **small)


def test_a_reply_depends_on_the_turn_before(run):
    for said, reply in PAIRS:
        talk = run.converse()
        assert [talk.say(said), talk.say("again")] == [reply, reply]


def test_it_goes_on_from_its_turns(run):
    talk = run.converse()
    talk.say("blue")
    again = run.converse(json.loads(json.dumps(talk.turns)))
    assert again.say("again") == "cold"
    assert again.turns == [*talk.turns, ("again", "cold")]


def test_anything_that_is_a_text_has_a_reply(run):
    talk = run.converse()
    assert all(isinstance(talk.say(prompt), str) for prompt in ("", "\n", "🤖 שלום", "red " * 300))
    with pytest.raises(InputError, match="say: expected a text, got int"):
        talk.say(3)


def test_the_command_answers_line_by_line_and_begins_anew_at_an_empty_one(run, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["recurra", "chat", str(run.path), "--json"])
    monkeypatch.setattr(sys, "stdin", io.StringIO("red\nagain\n\nblue\nagain\n"))
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    turns = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [turn["prompt"] for turn in turns] == ["red", "again", "blue", "again"]
    assert [turn["reply"] for turn in turns] == [PAIRS[0][1]] * 2 + [PAIRS[1][1]] * 2
