"""A missing word, from what stands before and after it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from recurra.config import setting
from recurra.errors import InputError
from recurra.heads._tokens import TokenConfig, TokenHead
from recurra.modalities import Modality
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout
from recurra.trunk import TrunkConfig

BLANK = "___"


@dataclass(frozen=True)
class MissingConfig(TokenConfig):
    """Settings of the head ``missing``."""

    sides: Literal["both", "left"] = setting("both", "left: from what stands before alone, to compare with")


class Missing(TokenHead):
    """Predicts each word of a row as if it were missing: the word itself is unseen.

    The forward direction's features after the word before, and the backward direction's before the word after, side by
    side. Rows stand between end tokens, so that the first and the last word have neighbours too.
    """

    config = MissingConfig
    begun = ended = True

    def __init__(
        self, config: MissingConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.both = config.sides == "both"

    @classmethod
    def check(cls, config: MissingConfig, trunk: TrunkConfig) -> None:
        if config.sides == "both" and not trunk.heard_apart:
            raise InputError(
                "head missing: the word itself must be unseen; use trunk.bidirectional=true, trunk.merge=concat and, "
                "for several layers, trunk.apart=true (or head.sides=left with trunk.bidirectional=false)"
            )
        if config.sides == "left" and trunk.bidirectional:
            raise InputError("head.sides: left needs trunk.bidirectional=false")

    def around(self, features: Ragged) -> Ragged:
        """features: [N, F] of rows with their end tokens. Returns those of the words between, without the words."""
        before, after = features.values.chunk(2, -1) if self.both else (features.values, None)
        place = self._words(features.layout)
        parts = [before[place - 1]] if after is None else [before[place - 1], after[place + 1]]
        return Ragged.of_layout(torch.cat(parts, -1), Layout.of_lengths(features.lengths - 2))

    @staticmethod
    def _words(layout: Layout) -> Tensor:
        """Where the words are: all steps but each row's first and last."""
        inside = torch.ones(layout.steps, dtype=torch.bool, device=layout.offsets.device)
        inside[layout.offsets[:-1]] = inside[layout.offsets[1:] - 1] = False
        return inside.nonzero()[:, 0]

    def loss(self, features: Ragged, last: Tensor, targets: Ragged) -> tuple[Tensor, float]:
        return self.nats(self.around(features).values, targets.values[self._words(targets.layout)])

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """For each word of each sequence the five most likely ones in its place."""
        return [{"words": self.likeliest(row)} for row in self.around(features).unbind()]

    def said(self, tokens: Callable[[], list[str]], result: dict[str, Any]) -> dict[str, Any]:
        """The words for the blanks alone, where the row has some."""
        pieces, words = tokens(), result["words"]  # of a text that was cut there are fewer words
        blanks = [found for piece, found in zip(pieces, words, strict=False) if piece == BLANK]
        return {"blanks": blanks} if blanks else {"tokens": pieces, "words": words}
