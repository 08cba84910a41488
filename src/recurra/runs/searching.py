"""The documents of a run: an index made of them, and what it finds."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recurra.datasets import Rows, read_rows
from recurra.errors import DataError, InputError, RunError
from recurra.model import Model
from recurra.notes import Change, pass_on
from recurra.ranking.index import Hit, Index, Origin
from recurra.runs.fingerprint import fingerprint

if TYPE_CHECKING:
    import pandas as pd


def documents_of(
    source: "str | Path | pd.DataFrame | Sequence[str]",
    columns: Mapping[str, str],
    encoding: str = "utf-8",
    header: bool = True,
) -> Rows:
    """Documents with the columns text and id.

    source: a file, a folder, a data set's name, a data frame, or the texts themselves. Data with a column ``other``
    are pairs, whose other texts are the documents. Without ids a document's is the number of its row, and of equal
    documents only the first is kept. Raises DataError where two documents have one id, and as ``read_rows`` does.
    """
    if isinstance(source, Sequence) and not isinstance(source, str):
        import pandas as pd

        source = pd.DataFrame({"text": list(source)})
    rows = read_rows(
        source, ("text",), columns, encoding, header=header, familiar={"text": "other", "id": "id"}, optional=("id",)
    )
    frame, notes = rows.frame, list(rows.notes)
    if "id" in frame:
        again = frame["id"].duplicated()
        if again.any():
            row = frame.index[int(again.to_numpy().argmax())]
            first = frame.index[int((frame["id"] == frame["id"][row]).to_numpy().argmax())]
            raise DataError(
                f"{rows.name}, row {row}, column {rows.columns['id']}: {frame['id'][row]!r} is row {first}'s already; "
                "each document needs its own (without such a column, rows are numbered)"
            )
    else:
        again = frame["text"].duplicated()
        if again.any():
            count = f"{int(again.sum()):,} of {len(frame):,} documents"
            notes.append(Change(f"{rows.name}: {count} are like one before; left out"))
        frame = frame[~again].assign(id=[str(row) for row in frame.index[~again]])
    return Rows(rows.name, frame[["id", "text"]], rows.columns, notes)


class Searcher:
    """Makes and asks the index of a model's documents, in a folder.

    model: with the head ``vector``. weights: the file of its weights, which an index belongs to.
    """

    def __init__(self, model: Model, weights: Path, folder: Path):
        if model.config.output != "vector":
            raise InputError(f"{weights.parent}: a run with the head {model.config.output}; only vectors are searched")
        self.model, self.folder = model, folder
        self.fingerprint = hashlib.sha256(weights.read_bytes()).hexdigest()[:16]
        self.index: Index | None = None

    def make(self, documents: Rows, tell: Callable[[str], object] | None) -> Index:
        """The index of these documents; that in the folder where it is already one of them."""
        origin = Origin(documents.name, self.fingerprint, fingerprint(documents.frame))
        if Index.origin_of(self.folder) == origin:
            return self.open()
        texts = list(documents.frame["text"])
        pass_on([*documents.notes, *self.model.modality.notes(texts)], tell)
        self.index = Index.build(list(documents.frame["id"]), texts, self.vectors(texts).numpy(), origin)
        self.index.save(self.folder)
        pass_on([f"{len(texts):,} documents of {documents.name}: index in {self.folder}"], tell)
        return self.index

    def open(self) -> Index:
        """The index in the folder. Raises MissingFileError for none, RunError for one of other weights."""
        if self.index is None:
            index = Index.load(self.folder)
            if index.origin.model != self.fingerprint:
                raise RunError(f"{self.folder}: an index of other weights than the run's; make it anew (--data FILE)")
            self.index = index
        return self.index

    def search(self, query: str, top: int, hybrid: bool) -> list[Hit]:
        """The best documents of the index in the folder."""
        if not query.strip():
            raise InputError("query: expected a text, got an empty one")
        return self.open().search(query, self.vectors([query])[0].numpy(), top, hybrid)

    def similarity(self, texts: Sequence[str], others: Sequence[str]) -> list[float]:
        """The scores of pairs of texts."""
        if len(texts) != len(others):
            raise InputError(f"others: expected {len(texts)}, one for each text, got {len(others)}")
        vectors = self.vectors([*texts, *others])
        cosines = (vectors[: len(texts)] * vectors[len(texts) :]).sum(-1)
        with torch.no_grad():
            found: list[float] = self.model.head.scores(cosines.to(self.model.device)).tolist()
        return found

    def vectors(self, rows: Sequence[Any]) -> torch.Tensor:
        """[rows, D] float32."""
        found, order = [], []
        with self.model.evaluating():
            for which, _, features, last in self.model.outputs(rows):
                order.append(which)
                found.append(self.model.head.vectors(features, last).float().cpu())
        return torch.cat(found)[torch.cat(order).argsort()]
