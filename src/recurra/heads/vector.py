"""One vector for a whole sequence, near the vectors of what means the same."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.config import setting
from recurra.errors import DataError, InputError
from recurra.heads._pairs import Pairs, keys_of, scores_of
from recurra.heads._vector_meters import RankMeter, ScoreMeter
from recurra.heads.base import Head, Meter, Objective
from recurra.modalities import Modality
from recurra.nn.pooling import Pool, Pooling
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class VectorConfig:
    """Settings of the head ``vector``."""

    pool: Pool = setting("mean", "how steps become one vector")
    size: int = setting(0, "elements of a vector; 0: as many as the pooled one has, with no layer between")
    dropout: float = setting(0.2, "share of the pooled vector dropped in training")
    temperature: float = setting(0.05, "pairs without scores: how sharply a batch's other rows are told apart")

    def __post_init__(self) -> None:
        if self.size < 0:
            raise InputError(f"head.size: expected 0 or more, got {self.size}")
        if not 0 <= self.dropout < 1:
            raise InputError(f"head.dropout: expected 0 up to but not 1, got {self.dropout}")
        if not self.temperature > 0:
            raise InputError(f"head.temperature: expected more than 0, got {self.temperature}")


class Vector(Head):
    """A unit vector of D elements for a sequence; two are compared by their cosine.

    The same encoder and layers read both texts of a pair. Where the data have scores, a logistic function of the cosine
    learns them, on a scale from the least to the greatest; the loss is the cross-entropy with the score's place on it.
    Where they have none, each text has to find its other one among those of the batch, and the other way round
    (van den Oord et al. 2018, https://arxiv.org/abs/1807.03748; Henderson et al. 2017,
    https://arxiv.org/abs/1705.00652): what is in another pair with the same text, or the same other one, is not held
    against it. A row without a text then only offers an other one.
    """

    config = VectorConfig
    roles = ("other",)
    optional = ("score",)
    gaps = ("text",)
    shared = ("other",)
    unaligned = True

    def __init__(
        self, config: VectorConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.temperature = config.temperature
        self.pool = Pooling(width, config.pool)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, config.size) if config.size else nn.Identity()
        self.scale: list[float] | None = known.get("scale")
        self.objective = Objective("pearson" if self.scale else "map", maximise=True, tie="nats")
        # A logistic function's steepness and place; the cosine of unlike texts begins around the middle of the scale.
        self.curve = nn.Parameter(torch.tensor([4.0, -2.0])) if self.scale else None

    @classmethod
    def learn(cls, config: VectorConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        if "score" not in frame:
            return {}
        scores = scores_of(frame, "training data")
        low, high = scores.min().item(), scores.max().item()
        if low == high:
            raise DataError(f"column score: only one value, {low:g}, in {len(frame)} training rows; leave it out")
        return {"scale": [low, high]}

    def targets(self, frame: "pd.DataFrame", where: str) -> Pairs:
        if self.scale and "score" not in frame:
            raise DataError(f"{where}: no column score, which the training data have")
        scores = scores_of(frame, where) if self.scale else None
        return Pairs(self.modality.encode_all(list(frame["other"])), keys_of(frame), scores)

    def reads(self, inputs: Ragged, targets: Pairs) -> Ragged:
        """All texts, then all other ones."""
        return Ragged.cat([inputs, targets.other])

    def vectors(self, features: Ragged, last: Tensor) -> Tensor:
        """last: [B, F], pooled. Returns [B, D], each of length 1, or 0 for a sequence without steps."""
        return functional.normalize(self.output(self.dropout(last)), dim=-1)

    def logits(self, cosines: Tensor) -> Tensor:
        """The score's place on its scale, before the logistic function. cosines: [B]."""
        assert self.curve is not None
        return self.curve[0] * cosines + self.curve[1]

    def scores(self, cosines: Tensor) -> Tensor:
        """Scores in the training data's scale, [B]; the cosines themselves where they had none."""
        if not self.scale:
            return cosines
        low, high = self.scale
        return low + (high - low) * self.logits(cosines).sigmoid()

    def loss(self, features: Ragged, last: Tensor, targets: Pairs) -> tuple[Tensor, Tensor | float]:
        vectors = self.vectors(features, last)
        text, other = vectors[: len(targets)], vectors[len(targets) :]
        if targets.scores is None:
            return self._contrast(text, other, targets.keys)
        return self.score_nats((text * other).sum(-1), targets.scores), float(len(targets))

    def score_nats(self, cosines: Tensor, scores: Tensor) -> Tensor:
        """The summed cross-entropy of each score's place on the scale, clamped to it. cosines, scores: [B]."""
        assert self.scale
        low, high = self.scale
        share = ((scores - low) / (high - low)).clamp(0, 1).to(cosines.dtype)
        return functional.binary_cross_entropy_with_logits(self.logits(cosines), share, reduction="sum")

    def _contrast(self, text: Tensor, other: Tensor, keys: Tensor) -> tuple[Tensor, float]:
        """The mean of both directions' cross-entropy, summed over the rows that have a text."""
        asked = (keys[:, 0] >= 0).nonzero().squeeze(-1)
        alike = (keys[:, None] == keys[None]).any(-1).fill_diagonal_(False)
        scores = (text @ other.T / self.temperature).masked_fill(alike, -torch.inf)
        there = functional.cross_entropy(scores[asked], asked, reduction="sum")
        place = torch.arange(len(asked), device=asked.device)
        back = functional.cross_entropy(scores[asked][:, asked].T, place, reduction="sum")
        return (there + back) / 2, float(max(1, len(asked)))

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """The vector."""
        return [{"vector": row} for row in self.vectors(features, last).tolist()]

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def meter(self) -> Meter:
        return ScoreMeter(self) if self.scale else RankMeter(self)
