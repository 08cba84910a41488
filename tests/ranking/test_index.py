"""An index finds what brute force finds, and is itself again when it comes from its folder."""

import json
import sys

import numpy as np
import pytest

from recurra.errors import InputError, MissingExtraError, MissingFileError, RunError
from recurra.ranking import index as module
from recurra.ranking.index import Index, Origin

ORIGIN = Origin("f.csv", "weights", "rows")
TEXTS = [f"{'even' if i % 2 == 0 else 'odd'} number {i}" for i in range(40)]


@pytest.fixture
def vectors() -> np.ndarray:
    drawn = np.random.default_rng(0).standard_normal((len(TEXTS), 6)).astype(np.float32)
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


@pytest.fixture
def index(vectors) -> Index:
    return Index.build([f"d{i}" for i in range(len(TEXTS))], TEXTS, vectors, ORIGIN)


@pytest.mark.parametrize("exact", [True, False])
def test_finds_the_nearest_vectors(index, vectors, exact, monkeypatch):
    monkeypatch.setattr(module, "EXACT", 1000 if exact else 0)
    query = vectors[7] + 0.1
    cosines = vectors @ query / np.linalg.norm(query)
    hits = index.search("", query, top=5)
    expected = (-cosines).argsort()[:5]
    assert [hit.id for hit in hits] == [f"d{i}" for i in expected]
    assert [hit.score for hit in hits] == pytest.approx(cosines[expected].tolist(), abs=1e-5)
    assert hits[0].text == TEXTS[expected[0]]


def test_a_hybrid_search_lifts_what_both_rankings_have(index, vectors):
    hits = index.search("number 11", vectors[11], top=3, hybrid=True)
    assert (hits[0].id, hits[0].vector_rank, hits[0].word_rank) == ("d11", 1, 1)
    assert hits[0].score == pytest.approx(2 / 61)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    # Without a word in common the ranking is that of the vectors.
    assert [h.id for h in index.search("?", vectors[3], 9, True)] == [h.id for h in index.search("?", vectors[3], 9)]


def test_more_than_there_is_gives_what_there_is(index, vectors):
    assert len(index.search("even", vectors[0], top=1000)) == len(TEXTS)
    assert len(index.search("even", vectors[0], top=1000, hybrid=True)) == len(TEXTS)
    with pytest.raises(InputError, match="top: expected at least 1, got 0"):
        index.search("even", vectors[0], top=0)
    with pytest.raises(InputError, match="documents: expected at least one"):
        Index.build([], [], vectors[:0], ORIGIN)


def test_saved_and_loaded_is_itself(index, vectors, tmp_path):
    index.save(tmp_path / "new" / "folder")
    again = Index.load(tmp_path / "new" / "folder")
    assert again.origin == ORIGIN == Index.origin_of(tmp_path / "new" / "folder")
    for hybrid in (False, True):
        assert again.search("odd 5", vectors[2], 9, hybrid) == index.search("odd 5", vectors[2], 9, hybrid)


def test_what_is_not_a_whole_index_is_refused(index, tmp_path):
    with pytest.raises(MissingFileError, match=r"no index; name the documents .*--data FILE"):
        Index.load(tmp_path)
    assert Index.origin_of(tmp_path) is None
    index.save(tmp_path)
    described = json.loads((tmp_path / "index.json").read_text())
    (tmp_path / "vectors.usearch").write_bytes(b"not vectors")
    with pytest.raises(RunError, match="a damaged index"):
        Index.load(tmp_path)
    (tmp_path / "index.json").write_text(json.dumps({**described, "format": 99}))
    with pytest.raises(RunError, match="made by another Recurra"):
        Index.load(tmp_path)
    (tmp_path / "index.json").write_text("{")
    with pytest.raises(RunError, match="not an index's description"):
        Index.load(tmp_path)


def test_without_usearch_it_says_what_to_install(index, vectors, monkeypatch):
    monkeypatch.setitem(sys.modules, "usearch", None)
    with pytest.raises(MissingExtraError, match=r"search needs .*pip install 'recurra\[search\]'"):
        Index.build(["1"], ["a"], vectors[:1], ORIGIN)
