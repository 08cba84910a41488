"""Documents that can be searched: their vectors, their words and themselves, in a folder."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from recurra.errors import InputError, MissingExtraError, MissingFileError, RunError
from recurra.files import atomic
from recurra.ranking.bm25 import BM25
from recurra.ranking.fusion import fuse

FORMAT = 1

# Up to so many documents all vectors are compared; above, a graph of neighbours is walked, which may miss one.
EXACT = 20_000

# What a fused ranking looks at of each of its two: this many times what is asked for, and no fewer than this.
DEEPER, DEPTH = 10, 100


@dataclass(frozen=True)
class Hit:
    """A document that was found.

    score: the cosine of its vector with the query's; of a hybrid search the sum of reciprocal ranks. vector_rank,
    word_rank: of a hybrid search, its place in either ranking, from 1, where it has one within reach.
    """

    id: str
    score: float
    text: str
    vector_rank: int | None = None
    word_rank: int | None = None


@dataclass(frozen=True)
class Origin:
    """What an index was made of: to tell whether it is still the one that is meant. model, documents: fingerprints."""

    source: str
    model: str
    documents: str


class Index:
    """D documents by vector, with cosines, and by BM25. Vectors are kept by usearch (the extra ``search``)."""

    def __init__(self, ids: Sequence[str], texts: Sequence[str], vectors: Any, words: BM25, origin: Origin):
        """vectors: a usearch index whose keys are places in ``ids`` and ``texts``. For code that has one."""
        self.ids, self.texts, self.vectors, self.words, self.origin = ids, texts, vectors, words, origin

    @classmethod
    def build(cls, ids: Sequence[str], texts: Sequence[str], vectors: NDArray[np.float32], origin: Origin) -> Self:
        """vectors: [D, size]. Raises InputError for no documents, MissingExtraError without usearch."""
        if not len(texts):
            raise InputError("documents: expected at least one, got none")
        index = _usearch().Index(ndim=vectors.shape[1], metric="cos", dtype="f32")
        index.add(np.arange(len(texts)), vectors)
        return cls(list(ids), list(texts), index, BM25.fit(texts), origin)

    def __len__(self) -> int:
        return len(self.ids)

    def search(self, query: str, vector: NDArray[np.float32], top: int = 10, hybrid: bool = False) -> list[Hit]:
        """The best documents, the best first. vector: the query's, [size]. hybrid: fused with BM25's ranking."""
        if top < 1:
            raise InputError(f"top: expected at least 1, got {top}")
        reach = min(len(self), max(DEPTH, DEEPER * top) if hybrid else top)
        found = self.vectors.search(vector, reach, exact=len(self) <= EXACT)
        if not hybrid:
            pairs = zip(found.keys.tolist(), found.distances.tolist(), strict=True)
            return [Hit(self.ids[key], 1.0 - distance, self.texts[key]) for key, distance in pairs]
        by_vector, by_word = found.keys.astype(np.int64), self.words.ranking(query)[:reach]
        scores = fuse([by_vector, by_word], len(self))
        places = [{int(key): i for i, key in enumerate(ranking, 1)} for ranking in (by_vector, by_word)]
        best = (-scores).argsort(kind="stable")[:top]
        return [
            Hit(self.ids[key], float(scores[key]), self.texts[key], places[0].get(key), places[1].get(key))
            for key in best.tolist()
            if scores[key] > 0
        ]

    def save(self, folder: str | Path) -> None:
        """Writes the folder; ``index.json`` comes last, so that without it nothing is taken for whole."""
        import pyarrow
        from pyarrow import parquet
        from safetensors.numpy import save_file

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "index.json").unlink(missing_ok=True)
        with atomic(folder / "documents.parquet") as path:
            parquet.write_table(pyarrow.table({"id": list(self.ids), "text": list(self.texts)}), path)
        with atomic(folder / "vectors.usearch") as path:
            self.vectors.save(str(path))
        with atomic(folder / "words.safetensors") as path:
            arrays: dict[str, NDArray[Any]] = {"starts": self.words.starts, "documents": self.words.documents}
            arrays["weights"] = self.words.weights
            save_file(arrays, path)
        described = {"format": FORMAT, **asdict(self.origin), "words": list(self.words.vocabulary)}
        with atomic(folder / "index.json") as path:
            path.write_text(json.dumps(described, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """Raises MissingFileError where there is no index, RunError where it cannot be read."""
        from pyarrow import parquet
        from safetensors.numpy import load_file

        folder = Path(folder)
        described = _described(folder)
        usearch = _usearch()
        try:
            table = parquet.read_table(folder / "documents.parquet")
            arrays = load_file(folder / "words.safetensors")
            vectors = usearch.Index(path=str(folder / "vectors.usearch"))
            vocabulary = {word: place for place, word in enumerate(described["words"])}
            words = BM25(vocabulary, arrays["starts"], arrays["documents"], arrays["weights"], table.num_rows)
            origin = Origin(described["source"], described["model"], described["documents"])
        except Exception as error:  # usearch, pyarrow and safetensors have no class of error in common
            raise RunError(f"{folder}: a damaged index ({str(error).splitlines()[0]}); make it anew") from error
        if len(vectors) != table.num_rows:
            raise RunError(f"{folder}: a damaged index ({len(vectors)} vectors of {table.num_rows}); make it anew")
        return cls(table["id"].to_pylist(), table["text"].to_pylist(), vectors, words, origin)

    @staticmethod
    def origin_of(folder: str | Path) -> Origin | None:
        """What the index in a folder was made of, quickly; None where there is none."""
        if not (Path(folder) / "index.json").exists():
            return None
        described = _described(Path(folder))
        return Origin(described["source"], described["model"], described["documents"])


def _described(folder: Path) -> dict[str, Any]:
    file = folder / "index.json"
    if not file.exists():
        raise MissingFileError(f"{folder}: no index; name the documents that one is to be made of (--data FILE)")
    try:
        described: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        version = described["format"]
        missing = {"source", "model", "documents", "words"} - described.keys()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{file}: not an index's description ({error}); make it anew") from error
    if version > FORMAT or missing:
        raise RunError(f"{file}: made by another Recurra (format {version}; this one reads {FORMAT}); make it anew")
    return described


def _usearch() -> Any:
    try:
        from usearch import index
    except ImportError as error:
        raise MissingExtraError("search", "search") from error
    return index
