"""Text as a sequence of characters, words or byte-pair units."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, Self

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor, nn

from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._spelling import Spelling
from recurra.modalities._units import END, UNKNOWN, UNKNOWN_TOKEN, Chars, Ids, Pieces, Row, Unit, Words
from recurra.modalities._vectors import Vectors, read_vectors
from recurra.modalities._words import WordEncoder
from recurra.modalities.base import Tokens
from recurra.rivals import TfIdf
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
    zero_digits: bool = setting(False, "read every digit as 0")
    characters: int = setting(0, "words: width of a vector made of each one's characters, as they are; 0: none")
    capitals: int = setting(
        0, "words: width of a vector for how each is written (small, Capital, CAPITALS, ...); 0: none"
    )
    rare_dropout: float = setting(0.0, "words that occur once in training: how likely each is read as unknown there")
    vectors: str = setting(
        "",
        "words: a file of vectors that they begin with (word2vec text, GloVe, .vec); its other words become known too",
    )

    def __post_init__(self) -> None:
        if self.min_count < 1:
            raise InputError(f"modality.min_count: expected at least 1, got {self.min_count}")
        if self.max_vocab < 0 or self.max_vocab in (1, 2):
            raise InputError(f"modality.max_vocab: expected 3 or more, or 0 for no limit, got {self.max_vocab}")
        if self.max_length < 0:
            raise InputError(f"modality.max_length: expected 0 or more, got {self.max_length}")
        for name in ("characters", "capitals"):
            if getattr(self, name) < 0 or getattr(self, name) == 1:
                raise InputError(f"modality.{name}: expected 2 or more, or 0 for none, got {getattr(self, name)}")
        if not 0 <= self.rare_dropout < 1:
            raise InputError(f"modality.rare_dropout: expected 0 up to but not 1, got {self.rare_dropout}")
        of_words = [name for name in ("characters", "capitals", "rare_dropout", "vectors") if getattr(self, name)]
        if of_words and self.unit not in ("word", "space"):
            raise InputError(f"modality.{of_words[0]}: for unit word or space, not for {self.unit}; leave it out")

    @property
    def spelled(self) -> bool:
        """Whether words are read with how they are written."""
        return bool(self.characters or self.capitals)


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
    rival = TfIdf()
    end_id = END
    unknown_id = UNKNOWN

    def __init__(
        self,
        settings: TextConfig,
        unit: Unit,
        running: bool,
        spelling: Spelling | None = None,
        width: int = 0,
        vectors: Vectors | None = None,
    ):
        """width: of pretrained vectors. vectors: these, until there is an encoder that begins with them."""
        self.settings, self.unit, self.running = settings, unit, running
        self.spelling, self.width, self.vectors = spelling, width, vectors
        self.pretrained = bool(width)

    @classmethod
    def fit(cls, config: TextConfig, rows: Iterable[Row], running: bool = False) -> Self:
        """The vocabulary of the training texts. Raises InputError where they hold no token."""
        if config.unit == "bpe" and not config.max_vocab:
            config = replace(config, max_vocab=BPE_VOCAB)
        rows = _changed(rows, config.zero_digits, lower=False)
        texts = _changed(rows, False, config.lower)
        lossless = config.unit in ("char", "bpe")
        if not any(text.strip() if isinstance(text, str) and not lossless else text for text in texts):
            raise InputError(f"column text: nothing but empty texts in {len(texts)} training rows")
        kept = config.min_count, config.max_vocab
        match config.unit:
            case "char":
                return cls(config, Chars.fit(texts, *kept), running)
            case "bpe":
                return cls(config, Pieces.fit(texts, *kept), running)
            case "word" | "space":
                words = Words.fit(texts, *kept, config.unit, running)
        vectors: Vectors | None = None
        if config.vectors:
            others = config.max_vocab - words.size if config.max_vocab else math.inf
            normal = partial(_change, zero_digits=config.zero_digits, lower=config.lower)
            vectors = read_vectors(config.vectors, set(words.tokens), others, normal)
            words = words.with_more([word for word in vectors if word not in words.chunks.ids])
        spelling = Spelling.fit({word for row in rows for word in _divided(words, row)}) if config.spelled else None
        width = len(next(iter(vectors.values()))) if vectors else 0
        return cls(config, words, running, spelling, width, vectors)

    @property
    def size(self) -> int:
        """V, how many ids there are."""
        return self.unit.size

    def tokens(self, row: Row) -> list[str]:
        """The text's pieces as they are, known or not; they are not cut."""
        return _divided(self.unit, row)

    def unknown(self, row: Row) -> list[str]:
        """The text's pieces that are in no vocabulary, each once; one that says ``<unk>`` is meant to be unknown."""
        pieces = dict.fromkeys(self.tokens(row))
        return [p for p in pieces if p != UNKNOWN_TOKEN and UNKNOWN in _ids(self.encode([p])).tolist()]

    def encode(self, row: Row) -> Tensor:
        """One text's ids, [T] int64; of words with how they are written [T, 2 + LONGEST] int32."""
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Row]) -> Ragged:
        """All texts' ids: values [N] int64, or [N, 2 + LONGEST] int32."""
        return self.encode_counted(rows).ragged

    def encode_counted(self, rows: Iterable[Row]) -> Encoded:
        """All texts' ids, with counts of what was lost on the way."""
        rows = list(rows)
        for row in rows:
            if not isinstance(row, str) and not (isinstance(row, Sequence) and all(isinstance(t, str) for t in row)):
                raise InputError(f"text: expected a str or a list of them, got {type(row).__name__} ({row!r})")
        values, counts = self._values(_changed(rows, self.settings.zero_digits, lower=False))
        lengths = torch.from_numpy(counts)
        longest, cut = self.settings.max_length, 0
        if longest and bool((lengths > longest).any()):
            cut = int((lengths > longest).sum())
            place = torch.arange(len(values)) - torch.repeat_interleave(lengths.cumsum(0) - lengths, lengths)
            values, lengths = values[place < longest], lengths.clamp(max=longest)
        offsets = torch.cat([torch.zeros(1, dtype=torch.int64), lengths.cumsum(0)])
        return Encoded(Ragged(values, offsets), int((_ids(values) == UNKNOWN).sum()), cut)

    def _values(self, rows: list[Row]) -> tuple[Tensor, Ids]:
        """All steps' values, and how many each row has."""
        if self.spelling is None:
            ids, counts = self.unit.encode(_changed(rows, False, self.settings.lower))
            return torch.from_numpy(ids), counts
        divided = [_divided(self.unit, row) for row in rows]
        ids, counts = self.unit.encode(_changed(divided, False, self.settings.lower))
        distinct: dict[str, int] = {}
        places = [distinct.setdefault(word, len(distinct)) for row in divided for word in row]
        written = self.spelling.features(list(distinct))[np.array(places, np.int64)]
        return torch.from_numpy(np.concatenate([ids[:, None].astype(np.int32), written], 1)), counts

    def notes(self, rows: Iterable[Row]) -> list[str]:
        """How much of these texts is unknown, and how many were cut."""
        return self.encode_counted(rows).notes()

    def decode(self, steps: Sequence[int] | Tensor) -> str:
        """The text of these ids. ``<eos>`` reads as a line end; what is unknown as ``<unk>`` or U+FFFD."""
        return self.unit.decode(_ids(steps).tolist() if isinstance(steps, Tensor) else steps)

    def encoder(self, width: int) -> nn.Embedding | WordEncoder:
        """A new module from encoded steps to vectors of this width, [N, width]: a table of V vectors, or one with how
        words are written."""
        settings = self.settings
        own = self.width or width - settings.characters - settings.capitals
        if own < 1:
            raise InputError(
                f"trunk.embedding: expected more than modality.characters and modality.capitals together, got {width}"
            )
        embedding = nn.Embedding(self.size, own)
        nn.init.normal_(embedding.weight, std=EMBEDDING_STD)
        if self.vectors is not None:
            self._copy_vectors(embedding.weight, self.vectors)
        if not (settings.spelled or settings.rare_dropout) and own == width:
            return embedding
        assert isinstance(self.unit, Words)
        return WordEncoder(
            embedding,
            width,
            characters=settings.characters,
            alphabet=self.spelling.alphabet.size if self.spelling else 0,
            capitals=settings.capitals,
            rare=self.unit.rare,
            rare_dropout=settings.rare_dropout,
        )

    @torch.no_grad()
    def _copy_vectors(self, weight: Tensor, vectors: Vectors) -> None:
        """The file's vectors into the rows of their words; the other rows become as large as these."""
        assert isinstance(self.unit, Words)
        known = [(self.unit.chunks.ids[word], vector) for word, vector in vectors.items()]
        rows = torch.from_numpy(np.stack([vector for _, vector in known]))
        nn.init.normal_(weight, std=float(rows.std()))
        weight[torch.tensor([i for i, _ in known])] = rows

    def to_json(self) -> dict[str, Any]:
        """The content of ``vocab.json``."""
        values = {"settings": to_dict(self.settings), "running": self.running, "vocabulary": self.unit.to_json()}
        if isinstance(self.unit, Words):
            alphabet = self.spelling.alphabet.to_json() if self.spelling else []
            values |= {"rare": self.unit.rare, "alphabet": alphabet, "width": self.width}
        return values

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
                    return cls(settings, Chars(vocabulary), running)
                case "bpe":
                    return cls(settings, Pieces(Tokenizer.from_str(json.dumps(vocabulary))), running)
                case "word" | "space":
                    # The first run folders say nothing of these.
                    words = Words(vocabulary, settings.unit, running, int(values.get("rare", 0)))
                    spelling = Spelling(values["alphabet"]) if settings.spelled else None
                    return cls(settings, words, running, spelling, int(values.get("width", 0)))
        except InputError:
            raise
        except Exception as error:  # tokenizers raises no narrower class
            raise InputError(f"vocabulary: not one that was saved by modality text ({error})") from error


def _ids(values: Tensor) -> Tensor:
    """The ids among encoded steps, [N]."""
    return values if values.ndim == 1 else values[:, 0]


def _divided(unit: Unit, row: Row) -> list[str]:
    return unit.split(row) if isinstance(row, str) else list(row)


def _changed(rows: Iterable[Row], zero_digits: bool, lower: bool) -> list[Row]:
    """Rows as the settings want their letters and digits."""
    if not (zero_digits or lower):
        return list(rows)
    change = partial(_change, zero_digits=zero_digits, lower=lower)
    return [change(row) if isinstance(row, str) else [change(token) for token in row] for row in rows]


def _change(text: str, zero_digits: bool, lower: bool) -> str:
    text = re.sub(r"\d", "0", text) if zero_digits else text
    return text.lower() if lower else text
