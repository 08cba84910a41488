"""A trained run used on other data than its own, and on its own when they are no longer what they were."""

import contextlib
import shutil
from pathlib import Path

import pytest

import recurra
from recurra.errors import DataNote, InputError, MissingFileError, RunError, UnknownNameError


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("use")
    rows = [f"{'good' if i % 2 else 'bad'} film {i},{'up' if i % 2 else 'down'}" for i in range(60)]
    (folder / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")
    with contextlib.chdir(folder):
        recurra.train("sentiment", "reviews.csv", out="run", hidden=8, epochs=3, device="cpu")
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch) -> recurra.Run:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return recurra.load("run")


def test_columns_are_the_trainings_or_a_guess_or_named(run):
    Path("same.csv").write_text("stars,review\nup,good film\n")
    Path("other.csv").write_text("sentence,verdict,note\ngood film,up,a long remark that is no review at all\n")
    said: list[str] = []
    assert run.evaluate("same.csv", tell=said.append)["metrics"]["accuracy"] in (0.0, 1.0)
    assert not said
    names = {"text": "sentence", "label": "verdict"}
    assert run.evaluate("other.csv", columns=names)["data"] == "other.csv"
    assert run.read("other.csv", columns={"text": "note"}) == ["a long remark that is no review at all"]
    with pytest.raises(UnknownNameError, match="did you mean 'sentence'"):
        run.evaluate("other.csv", columns={"text": "sentense"})


def test_rows_left_out_are_told_and_rows_to_predict_are_never_left_out(run):
    Path("gaps.csv").write_text('review,stars\ngood film,up\n"",down\nbad film,\n')
    said: list[str] = []
    run.evaluate("gaps.csv", tell=said.append)
    assert any("2 of 3 rows" in sentence for sentence in said)
    assert run.read("gaps.csv", tell=said.append) == ["good film", "", "bad film"]
    with pytest.warns(DataNote, match="1 of 3 rows have no text; read as an empty one"):
        rows = run.read("gaps.csv")
    assert len(run.predict(rows)) == 3


def test_its_own_data_must_be_those_it_was_trained_on(run):
    before = run.evaluate()["metrics"]
    assert recurra.load("run").evaluate()["metrics"] == before
    with open("reviews.csv", "a") as file:
        file.write("one more film,up\n")
    with pytest.raises(RunError, match="the training data have changed"):
        recurra.load("run").evaluate()
    assert recurra.load("run").evaluate("reviews.csv")["split"] == "all"


def test_its_own_data_may_lie_elsewhere(run, tmp_path_factory, monkeypatch):
    path = Path("run").absolute()
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(MissingFileError, match="relative to where its training was started"):
        recurra.load(path).evaluate()


def test_an_unknown_part_is_refused_whatever_the_data(run):
    for data in (None, "reviews.csv"):
        with pytest.raises(InputError, match="split: expected train, valid or test, got 'tset'"):
            run.evaluate(data, split="tset")
