"""What every modality offers to the model."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from recurra.rivals import Rival
from recurra.sequences import Ragged
from recurra.sequences.batches import Sequences


class Modality(ABC):
    """A kind of input: raw rows to Ragged, and the module that reads it.

    ``config`` is the class of its settings, ``role`` the data column it reads, ``rival`` what could answer its rows
    without a network. ``moves``: whether ``varied`` moves steps, so that targets of single steps would not fit them.
    ``timed``: whether its rows are windows of series in time, which are divided by time and not by row.
    """

    config: ClassVar[type]
    role: ClassVar[str]
    rival: ClassVar[Rival | None] = None
    moves: bool = False
    timed: ClassVar[bool] = False

    @classmethod
    @abstractmethod
    def fit(cls, config: Any, rows: Iterable[Any], running: bool = False) -> Self:
        """Learns what must be known before there are weights (a vocabulary) from the training rows.

        ``running``: whether the rows will be read as one running sequence (the head's ``running``).
        Raises InputError where there is nothing to learn from.
        """

    @abstractmethod
    def encode(self, row: Any) -> Tensor:
        """One row as a sequence: [T] token ids, or [T, I] features."""

    @abstractmethod
    def encode_all(self, rows: Iterable[Any]) -> Ragged:
        """All rows: values [N] or [N, I]."""

    def varied(self, inputs: Ragged) -> Ragged:
        """A training batch as it might have come just as well, drawn by torch's generator; mostly as it is."""
        return inputs

    def mirrored(self, inputs: Ragged) -> Ragged | None:
        """The same rows read from their other end, where that says the same; None: it does not."""
        return None

    def sequences(self, rows: Iterable[Any]) -> Sequences:
        """As ``encode_all``, but a modality may encode rows when a batch asks for them."""
        return self.encode_all(rows)

    def notes(self, rows: Iterable[Any]) -> list[str]:
        """What a person should know about these rows as this modality reads them, in sentences; mostly nothing."""
        return []

    @abstractmethod
    def decode(self, steps: Any) -> str:
        """A sequence's steps in a form that a person can read."""

    @abstractmethod
    def natural_width(self, hidden: int) -> int:
        """The width of the vectors that layers of so many hidden units read, where nobody has chosen one."""

    @abstractmethod
    def encoder(self, width: int) -> nn.Module:
        """A new module from encoded values, [N] or [N, I], to [N, width]."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """What ``from_json`` needs to build an equal one, as plain JSON values."""

    @classmethod
    @abstractmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """Raises InputError where ``values`` is not what ``to_json`` gave."""


class Tokens(Modality):
    """A modality whose steps are one of V tokens, so that a model of it can predict the next one.

    ``end_id`` is the token put before a row and between rows, ``unknown_id`` the one for what is in no vocabulary.
    ``pretrained``: whether the encoder's vectors begin as somebody learnt them before.
    """

    end_id: ClassVar[int]
    unknown_id: ClassVar[int]
    pretrained: bool = False

    @property
    @abstractmethod
    def size(self) -> int:
        """V."""

    @abstractmethod
    def tokens(self, row: Any) -> list[str]:
        """The row's pieces as a person reads them, one for each step."""

    def natural_width(self, hidden: int) -> int:
        return hidden

    @abstractmethod
    def unknown(self, row: Any) -> list[str]:
        """The pieces of a row that are in no vocabulary, each once."""
