"""Text as a sequence of characters, words or byte-pair units."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._units import END, UNKNOWN, UNKNOWN_TOKEN, Chars, Pieces, Row, Unit, Words
from recurra.modalities.base import Tokens
from recurra.sequences import Ragged

BPE_VOCAB = 8000
# Small enough that a head with tied weights begins with nearly equal scores for all tokens.
EMBEDDING_STD = 0.1


@dataclass(frozen=True)
class TextConfig:
    """Settings of the modality ``text``."""

    unit: Literal["char", "word", "space", "bpe"] = setting(
        "word", "char; word: punctuation apart; space: text already tokenised; bpe: byte-pair units"
    )
    lower: bool = setting(False, "make all letters small")
    min_count: int = setting(1, "tokens that occur less often in training are unknown")
    max_vocab: int = setting(0, f"largest vocabulary; 0: no limit (bpe: {BPE_VOCAB})")
    max_length: int = setting(0, "longer texts are cut to so many tokens; 0: never")

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise InputError(f"modality.min_count: expected at least 1, got {self.min_count}")
        if self.max_vocab < 0 or self.max_vocab in (1, 2):
            raise InputError(f"modality.max_vocab: expected 3 or more, or 0 for no limit, got {self.max_vocab}")
        if self.max_length < 0:
            raise InputError(f"modality.max_length: expected 0 or more, got {self.max_length}")


@dataclass(frozen=True)
class Encoded:
    """ragged: token ids [N]. unknown: how many of them are not in the vocabulary. cut: how many texts were cut."""

    ragged: Ragged
    unknown: int
    cut: int

    def notes(self) -> list[str]:
        """What a person should know about these texts, in sentences; mostly nothing."""
        tokens, texts = self.ragged.values.shape[0], len(self.ragged)
        unknown = f"{self.unknown:,} of {tokens:,} tokens are not in the vocabulary"
        cut = f"{self.cut:,} of {texts:,} texts were longer than modality.max_length and were cut"
        return [*[unknown] * bool(self.unknown), *[cut] * bool(self.cut)]


class Text(Tokens):
    """A vocabulary, and the way from text to token ids and back.

    Units ``char`` and ``bpe`` are lossless for characters of the vocabulary, with every line end; ``word`` and
    ``space`` keep the words. With ``running`` a line end is the token ``<eos>`` (units ``word`` and ``space``);
    without, it is white space. Nothing is put at the end of a text: ``end_id`` is there for who needs that. A row may
    also be a list of tokens, which units ``word`` and ``space`` take as they are and the others join.

    >>> text = Text.fit(TextConfig(unit="char"), ["hello world"])
    >>> text.encode("hole").tolist()
    [5, 7, 6, 4]
    >>> text.decode([5, 7, 6, 4])
    'hole'
    """

    config = TextConfig
    role = "text"
    end_id = END
    unknown_id = UNKNOWN

    def __init__(self, settings: TextConfig, unit: Unit, running: bool):
        self.settings, self.unit, self.running = settings, unit, running

    @classmethod
    def fit(cls, config: TextConfig, rows: Iterable[Row], running: bool = False) -> Self:
        """The vocabulary of the training texts. Raises InputError where they hold no token."""
        if config.unit == "bpe" and not config.max_vocab:
            config = replace(config, max_vocab=BPE_VOCAB)
        texts = _lowered(rows, config.lower)
        lossless = config.unit in ("char", "bpe")
        if not any(text.strip() if isinstance(text, str) and not lossless else text for text in texts):
            raise InputError(f"column text: nothing but empty texts in {len(texts)} training rows")
        kept = config.min_count, config.max_vocab
        match config.unit:
            case "char":
                unit: Unit = Chars.fit(texts, *kept)
            case "bpe":
                unit = Pieces.fit(texts, *kept)
            case "word" | "space":
                unit = Words.fit(texts, *kept, config.unit, running)
        return cls(config, unit, running)

    @property
    def size(self) -> int:
        """V, how many ids there are."""
        return self.unit.size

    def tokens(self, row: Row) -> list[str]:
        """The text's pieces as they are, known or not; they are not cut."""
        (row,) = _lowered([row], self.settings.lower)
        return self.unit.split(row) if isinstance(row, str) else list(row)

    def unknown(self, row: Row) -> list[str]:
        """The text's pieces that are in no vocabulary, each once; one that says ``<unk>`` is meant to be unknown."""
        pieces = dict.fromkeys(self.tokens(row))
        return [p for p in pieces if p != UNKNOWN_TOKEN and UNKNOWN in self.encode([p]).tolist()]

    def encode(self, row: Row) -> Tensor:
        """One text's ids, [T] int64."""
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Row]) -> Ragged:
        """All texts' ids: values [N] int64."""
        return self.encode_counted(rows).ragged

    def encode_counted(self, rows: Iterable[Row]) -> Encoded:
        """All texts' ids, with counts of what was lost on the way."""
        rows = list(rows)
        for row in rows:
            if not isinstance(row, str) and not (isinstance(row, Sequence) and all(isinstance(t, str) for t in row)):
                raise InputError(f"text: expected a str or a list of them, got {type(row).__name__} ({row!r})")
        ids, counts = self.unit.encode(_lowered(rows, self.settings.lower))
        values, lengths = torch.from_numpy(ids), torch.from_numpy(counts)
        longest, cut = self.settings.max_length, 0
        if longest and bool((lengths > longest).any()):
            cut = int((lengths > longest).sum())
            place = torch.arange(len(values)) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
            values, lengths = values[place < longest], lengths.clamp(max=longest)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        return Encoded(Ragged(values, offsets), int((values == UNKNOWN).sum()), cut)

    def notes(self, rows: Iterable[Row]) -> list[str]:
        """How much of these texts is unknown, and how many were cut."""
        return self.encode_counted(rows).notes()

    def decode(self, steps: Sequence[int] | Tensor) -> str:
        """The text of these ids. ``<eos>`` reads as a line end; what is unknown as ``<unk>`` or U+FFFD."""
        return self.unit.decode(steps.tolist() if isinstance(steps, Tensor) else steps)

    def encoder(self, width: int) -> nn.Embedding:
        """A new table of V vectors of this width; ids [N] to [N, width]."""
        embedding = nn.Embedding(self.size, width)
        nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
        return embedding

    def to_json(self) -> dict[str, Any]:
        """The content of ``vocab.json``."""
        return {"settings": to_dict(self.settings), "running": self.running, "vocabulary": self.unit.to_json()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        """The modality that ``to_json`` described. Raises InputError where it is something else."""
        try:
            settings, running = from_dict(TextConfig, values["settings"]), bool(values["running"])
            vocabulary = values["vocabulary"]
            if settings.unit != "bpe" and not all(isinstance(token, str) for token in vocabulary):
                raise TypeError("expected a list of tokens")
            match settings.unit:
                case "char":
                    unit: Unit = Chars(vocabulary)
                case "bpe":
                    unit = Pieces(Tokenizer.from_str(json.dumps(vocabulary)))
                case "word" | "space":
                    unit = Words(vocabulary, settings.unit, running)
        except InputError:
            raise
        except Exception as error:  # tokenizers raises no narrower class
            raise InputError(f"vocabulary: not one that was saved by modality text ({error})") from error
        return cls(settings, unit, running)


def _lowered(rows: Iterable[Row], lower: bool) -> list[Row]:
    if not lower:
        return list(rows)
    return [row.lower() if isinstance(row, str) else [token.lower() for token in row] for row in rows]
