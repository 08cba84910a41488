"""A run's documents: indexed once, found by vector and by word, refused where they are not what they should be."""

import contextlib
import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import recurra
from recurra.errors import DataError, InputError, MissingFileError, RunError

PLACES = ["harbour", "desert", "forest", "mountain"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("search")
    rows = [f"where is the {place} {i},the {place} number {i} lies here" for i in range(8) for place in PLACES]
    (folder / "pairs.csv").write_text("question,passage\n" + "\n".join(rows) + "\n")
    with contextlib.chdir(folder):
        recurra.train("search", "pairs.csv", out="run", other="passage", hidden=8, epochs=2, device="cpu")
    return folder


@pytest.fixture
def run(folder, tmp_path, monkeypatch) -> recurra.Run:
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return recurra.load("run")


def test_finds_documents_after_they_were_given_once(run):
    said: list[str] = []
    assert len(run.index("pairs.csv", {"text": "passage"}, tell=said.append)) == 32
    assert said == ["32 documents of pairs.csv: index in run/index"]
    hits = run.search("the desert number 3 lies here", top=3)
    assert hits[0].text == "the desert number 3 lies here" and hits[0].score == pytest.approx(1, abs=1e-5)
    assert recurra.load("run").search("the desert number 3 lies here", top=3) == hits
    assert all("harbour" in hit.text and hit.word_rank for hit in run.search("harbour", 3, hybrid=True))


def test_an_index_is_made_anew_only_for_other_documents_or_weights(run):
    run.index(["one text", "another"])
    said: list[str] = []
    run.index(["one text", "another"], tell=said.append)
    assert not said
    run.index(["one text", "a third"], tell=said.append)
    assert said[-1] == "2 documents of frame: index in run/index"
    next(run.model.parameters()).data.add_(1.0)
    run.model.save_weights(Path("run"))
    with pytest.raises(RunError, match=r"of other weights than the run's; make it anew \(--data FILE\)"):
        recurra.load("run").search("text")


def test_an_index_may_lie_elsewhere(run):
    run.index(["one text", "another"], folder="elsewhere")
    assert run.search("one text", 1, folder="elsewhere")[0].text == "one text"
    with pytest.raises(MissingFileError, match="run/index: no index"):
        run.search("one text")


def test_ids_are_kept_and_may_not_occur_twice(run):
    frame = pd.DataFrame({"id": ["a", "b", "c"], "body": ["one", "two", "one"]})
    assert {hit.id for hit in run.index(frame) and run.search("one", 9)} == {"a", "b", "c"}
    frame.loc[2, "id"] = "a"
    with pytest.raises(DataError, match="row 3, column id: 'a' is row 1's already"):
        run.index(frame)


def test_rows_are_numbered_and_equal_ones_kept_once_where_there_are_no_ids(run):
    Path("lines.txt").write_text("one\n\ntwo\none\n" + "long " * 10_000 + "\n🙂\nслово 漢字\n")
    said: list[str] = []
    assert run.index("lines.txt", tell=said.append).ids == ["1", "3", "5", "6", "7"]
    assert any("1 of 7 rows left out" in note for note in said)
    assert any("1 of 6 documents are like one before" in note for note in said)
    assert any("longer than modality.max_length" in note for note in said)
    for query in ("one", "long " * 10_000, "🙂", "слово", "漢"):
        for hybrid in (False, True):
            assert len(run.search(query, 9, hybrid=hybrid)) == 5
    assert run.search("漢", 1, hybrid=True)[0].word_rank == 1


def test_an_empty_query_and_another_head_are_refused(run, tmp_path):
    run.index(["one", "two"])
    with pytest.raises(InputError, match="query: expected a text, got an empty one"):
        run.search(" \n")
    frame = pd.DataFrame({"text": [f"film {i}" for i in range(40)], "label": ["up", "down"] * 20})
    other = recurra.train("sentiment", frame, out=tmp_path / "other", hidden=4, epochs=1, device="cpu")
    with pytest.raises(InputError, match="head category; only vectors are searched"):
        other.search("film")


def test_similarity_is_the_cosine_where_there_were_no_scores(run):
    same, unlike = run.similarity(["the desert", "the desert"], ["the desert", "harbour"])
    assert same == pytest.approx(1, abs=1e-5) and unlike < same
    with pytest.raises(InputError, match="others: expected 1, one for each text, got 2"):
        run.similarity(["a"], ["b", "c"])


def test_metrics_stand_beside_bm25s(run):
    found = run.evaluate()
    assert set(found["beside"]) == {"BM25", "both fused"}
    assert {"map", "mrr", "recall_10"} <= found["beside"]["BM25"].keys() < found["metrics"].keys()
    end = [json.loads(line) for line in Path("run/metrics.jsonl").read_text().splitlines()][-1]
    assert end["event"] == "evaluation"
    assert end["metrics"] == pytest.approx(found["metrics"])
    assert end["details"]["beside"]["BM25"] == pytest.approx(found["beside"]["BM25"])
    page = run.report().read_text()
    assert "What one could use instead" in page and "both fused" in page
