"""What heads share that give a probability to each token of the vocabulary."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from recurra.config import setting
from recurra.errors import InputError
from recurra.heads.base import Head, Meter, Objective
from recurra.modalities import Modality, Tokens
from recurra.nn.cross_entropy import linear_cross_entropy
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd

LIKELIEST = 5


@dataclass(frozen=True)
class TokenConfig:
    """Settings of heads that predict tokens."""

    tied: bool = setting(True, "use the embedding as output weights (Press & Wolf 2017)")


class TokenHead(Head):
    """Scores of all V tokens from features [..., F].

    Tied weights (Press & Wolf 2017, https://arxiv.org/abs/1608.05859) need features as wide as the embedding:
    a linear map is put between where they are not.
    """

    objective = Objective("nats_per_token", maximise=False)

    def __init__(
        self, config: TokenConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        name = type(self).__name__.lower()
        if not isinstance(modality, Tokens):
            raise InputError(f"head {name}: expected a modality of tokens, got {type(modality).__name__.lower()}")
        if not isinstance(encoder, nn.Embedding):
            raise InputError(
                f"head {name}: expected tokens to be read by a plain table of vectors; leave out modality.characters, "
                "modality.capitals and modality.rare_dropout, and give trunk.embedding the width of modality.vectors"
            )
        inner = encoder.embedding_dim if config.tied else width
        self.narrow = nn.Linear(width, inner) if inner != width else nn.Identity()
        self.output = nn.Linear(inner, encoder.num_embeddings)
        nn.init.zeros_(self.output.bias)
        if config.tied:
            self.output.weight = encoder.weight
        elif not modality.pretrained:
            # Small vectors suit output weights; vectors that are only read make learning start faster at unit size.
            nn.init.normal_(encoder.weight)

    @classmethod
    def learn(cls, config: TokenConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        return {}

    def targets(self, frame: "pd.DataFrame", where: str) -> None:
        return None

    def nats(self, features: Tensor, ids: Tensor) -> tuple[Tensor, float]:
        """Summed cross-entropy of these tokens, ids [N], and how many they are. features: [N, F]."""
        x = self.narrow(features)
        return linear_cross_entropy(x, self.output.weight, self.output.bias, ids), len(x)

    def logits(self, features: Tensor) -> Tensor:
        """features: [B, F]. Returns [B, V], the score of each token."""
        return self.output(self.narrow(features))  # type: ignore[no-any-return]

    def likeliest(self, features: Tensor) -> list[list[dict[str, Any]]]:
        """The five most likely tokens for each of the features [B, F], with their probabilities."""
        probability, token = self.logits(features).softmax(-1).topk(min(LIKELIEST, self.output.out_features))
        return [
            [{"token": self.modality.decode([t]), "probability": p} for t, p in zip(ts, ps, strict=True)]
            for ts, ps in zip(token.tolist(), probability.tolist(), strict=True)
        ]

    def meter(self) -> Meter:
        return _TokenMeter(self)


class _TokenMeter(Meter):
    def __init__(self, head: TokenHead):
        self.head, self.nats, self.tokens = head, 0.0, 0

    def update(self, features: Ragged, last: Tensor, targets: Ragged, rows: Tensor | None) -> None:
        with torch.no_grad():
            total, count = self.head.loss(features, last, targets)
        self.nats += total.item()
        self.tokens += int(count)

    def metrics(self) -> dict[str, float]:
        nats = self.nats / max(1, self.tokens)
        # A model that has diverged has a perplexity too large for a float.
        perplexity = math.exp(nats) if nats < 700 else math.inf
        return {"nats_per_token": nats, "bits_per_token": nats / math.log(2), "perplexity": perplexity}
