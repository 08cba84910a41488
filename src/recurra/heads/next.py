"""The next token of a sequence: a language model's head."""

from typing import Any

from torch import Tensor

from recurra.errors import InputError
from recurra.heads._tokens import TokenConfig, TokenHead
from recurra.sequences import Ragged
from recurra.trunk import TrunkConfig


class Next(TokenHead):
    """Predicts each step's next token."""

    config = TokenConfig
    running = begun = True

    @classmethod
    def check(cls, config: TokenConfig, trunk: TrunkConfig) -> None:
        if trunk.bidirectional:
            raise InputError("trunk.bidirectional: a model of the next token must not read it beforehand; use false")

    def loss(self, features: Ragged, last: Tensor, targets: Ragged) -> tuple[Tensor, float]:
        return self.nats(features.values, targets.values)

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """The five most likely next tokens of each sequence."""
        return [{"next": tokens} for tokens in self.likeliest(last)]
