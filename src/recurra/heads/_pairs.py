"""Targets that are a second sequence for each row."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from recurra.errors import DataError
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Pairs:
    """What belongs to each of B rows.

    other: the second sequences. keys: [B, 2] int64, numbers that are the same where a text, or an other one, is the
    same as in another row; -1 for a row without a text. scores: [B], how well they fit; None where pairs simply belong
    together.
    """

    other: Ragged
    keys: Tensor
    scores: Tensor | None = None

    @property
    def lengths(self) -> Tensor:
        """[B] int64, steps of each second sequence."""
        return self.other.lengths

    def __len__(self) -> int:
        return len(self.other)

    def __getitem__(self, rows: Tensor) -> "Pairs":
        return Pairs(self.other[rows], self.keys[rows], None if self.scores is None else self.scores[rows])

    def to(self, device: torch.device) -> "Pairs":
        scores = None if self.scores is None else self.scores.to(device)
        return replace(self, other=self.other.to(device), keys=self.keys.to(device), scores=scores)


def keys_of(frame: "pd.DataFrame") -> Tensor:
    """``Pairs.keys`` of rows with the columns text and other."""
    columns = []
    for role in ("text", "other"):
        numbers: dict[str, int] = {"": -1}
        columns.append([numbers.setdefault(text, len(numbers)) for text in frame[role]])
    return torch.tensor(columns, dtype=torch.int64).reshape(2, -1).T


def scores_of(frame: "pd.DataFrame", where: str) -> Tensor:
    """[B] float64, the column score. Raises DataError, naming the row, for what is no finite number."""
    import pandas as pd

    scores = pd.to_numeric(frame["score"], errors="coerce")
    wrong = ~scores.abs().lt(float("inf"))
    if wrong.any():
        row = int(wrong.to_numpy().argmax())
        raise DataError(
            f"{where}, row {frame.index[row]}, column score: expected a number, got {frame['score'].iloc[row]!r}"
        )
    return torch.tensor(scores.to_numpy(dtype="float64"))
