"""The vocabularies behind ``text``: what a text is divided into, and the number of each piece.

In all of them id 0 is the end of a line or text, and id 1 stands for everything that is not in the vocabulary.
"""

import json
import re
import unicodedata
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cache
from itertools import chain
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from recurra.errors import InputError

END, UNKNOWN = 0, 1
END_TOKEN, UNKNOWN_TOKEN = "<eos>", "<unk>"
SPECIAL = 2  # ids that are not pieces of text

Ids = NDArray[np.int64]
# A row: a text, or the tokens of one that is already divided.
Row = str | Sequence[str]


class Unit(ABC):
    """A vocabulary of one kind of piece; ``size`` is V, its ids with the two special ones."""

    size: int

    @abstractmethod
    def split(self, text: str) -> list[str]:
        """The text's pieces."""

    @abstractmethod
    def encode(self, rows: Sequence[Row]) -> tuple[Ids, Ids]:
        """The ids of all rows [N], and how many each row has [B]."""

    @abstractmethod
    def decode(self, ids: Sequence[int]) -> str:
        """The text of these ids."""

    @abstractmethod
    def to_json(self) -> Any:
        """What the unit is built from, as plain JSON values."""


def most_common(counts: Iterable[tuple[str, int]], min_count: int, max_vocab: int) -> list[str]:
    """The pieces to keep, the most frequent first; equally frequent ones in the order of their characters."""
    kept = sorted((pair for pair in counts if pair[1] >= min_count), key=lambda pair: (-pair[1], pair[0]))
    if not kept:
        raise InputError(f"modality.min_count: no token occurs {min_count} times or more; choose a smaller number")
    return [token for token, _ in kept][: max_vocab - SPECIAL if max_vocab else None]


class Chars(Unit):
    """Unicode characters. Lossless; an index by code point, not a loop over characters."""

    def __init__(self, characters: list[str]):
        self.characters = characters
        codes = _code_points("".join(characters))
        self.codes = np.concatenate([_code_points("\n\ufffd"), codes])
        self.size = len(self.codes)
        # One entry more than the largest code point: all larger ones are sent there.
        self.table = np.full(int(codes.max(initial=0)) + 2, UNKNOWN, np.int64)
        self.table[codes] = np.arange(SPECIAL, self.size)

    @classmethod
    def fit(cls, rows: Sequence[Row], min_count: int, max_vocab: int) -> Self:
        counts = np.bincount(_code_points("".join(_joined(rows, ""))))
        found = counts.nonzero()[0].tolist()
        return cls(sorted(most_common(((chr(c), int(counts[c])) for c in found), min_count, max_vocab)))

    def split(self, text: str) -> list[str]:
        return list(text)

    def encode(self, rows: Sequence[Row]) -> tuple[Ids, Ids]:
        texts = _joined(rows, "")
        codes = _code_points("".join(texts))
        return self.table[np.minimum(codes, len(self.table) - 1)], np.array([len(t) for t in texts], np.int64)

    def decode(self, ids: Sequence[int]) -> str:
        return self.codes[np.asarray(ids, np.int64)].tobytes().decode("utf-32-le", "surrogatepass")

    def to_json(self) -> list[str]:
        return self.characters


def _joined(rows: Sequence[Row], between: str) -> list[str]:
    return [row if isinstance(row, str) else between.join(row) for row in rows]


def _code_points(text: str) -> NDArray[np.uint32]:
    return np.frombuffer(text.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32, copy=False)


class Words(Unit):
    """Words: with punctuation apart, or just what stands between white space.

    ``lines``: whether the end of a line is a token (id 0), as a running text needs it, or white space. ``rare``: the
    first id of tokens that occur once in training, which stand after all others; ``size`` where there are none.
    """

    def __init__(self, tokens: list[str], kind: Literal["word", "space"], lines: bool, rare: int = 0):
        self.tokens, self.kind, self.lines = [END_TOKEN, UNKNOWN_TOKEN, *tokens], kind, lines
        self.size = len(self.tokens)
        self.rare = rare or self.size
        self.chunks = _Chunks({token: i for i, token in enumerate(self.tokens) if i >= SPECIAL}, kind)

    @classmethod
    def fit(
        cls, rows: Sequence[Row], min_count: int, max_vocab: int, kind: Literal["word", "space"], lines: bool
    ) -> Self:
        counts = Counter(chain.from_iterable(row for row in rows if not isinstance(row, str)))
        texts = (row.split() for row in rows if isinstance(row, str))
        for chunk, count in Counter(chain.from_iterable(texts)).items():
            for token in divide(chunk, kind):
                counts[token] += count
        # A text in which rare words are already replaced says <unk>: the same as unknown here.
        for special in (END_TOKEN, UNKNOWN_TOKEN):
            counts.pop(special, None)
        tokens = most_common(counts.items(), min_count, max_vocab)
        return cls(tokens, kind, lines, SPECIAL + sum(counts[token] > 1 for token in tokens))

    def with_more(self, tokens: list[str]) -> "Words":
        """The same with tokens that training does not have."""
        return Words([*self.tokens[SPECIAL:], *tokens], self.kind, self.lines, self.rare)

    def split(self, text: str) -> list[str]:
        ends = [END_TOKEN] if self.lines else []
        lines = [[t for chunk in line.split() for t in divide(chunk, self.kind)] for line in text.split("\n")]
        return [*chain.from_iterable([*line, *ends] for line in lines[:-1]), *lines[-1]]

    def encode(self, rows: Sequence[Row]) -> tuple[Ids, Ids]:
        known = self.chunks.ids
        ids = [self._ids(row) if isinstance(row, str) else [known.get(t, UNKNOWN) for t in row] for row in rows]
        lengths = np.array([len(row) for row in ids], np.int64)
        return np.fromiter(chain.from_iterable(ids), np.int64, int(lengths.sum())), lengths

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = []
        for line in text.split("\n") if self.lines else [text]:
            ids.extend(chain.from_iterable(map(self.chunks.__getitem__, line.split())))
            ids.append(END)
        ids.pop()
        return ids

    def decode(self, ids: Sequence[int]) -> str:
        tokens = ["\n" if i == END else self.tokens[i] for i in ids]
        return join_words(tokens) if self.kind == "word" else join(tokens)

    def to_json(self) -> list[str]:
        return self.tokens[SPECIAL:]


class _Chunks(dict[str, list[int]]):
    """The ids of what stands between white space; each such chunk is divided once, for most are met again."""

    def __init__(self, ids: dict[str, int], kind: Literal["word", "space"]):
        super().__init__()
        self.ids, self.kind = ids, kind

    def __missing__(self, chunk: str) -> list[int]:
        ids = self[chunk] = [self.ids.get(token, UNKNOWN) for token in divide(chunk, self.kind)]
        return ids


def divide(chunk: str, kind: Literal["word", "space"]) -> list[str]:
    """The tokens of a chunk without white space.

    >>> divide("(don't!)", "word")
    ['(', "don't", '!', ')']
    """
    return _pattern().findall(chunk) if kind == "word" else [chunk]


@cache
def _pattern() -> re.Pattern[str]:
    # Combining marks (Hindi vowels, Hebrew points, emoji variants) are no \w of re's, but part of what they follow.
    # So are the joiners of Persian and of emoji.
    marks = "".join(chr(c) for c in range(0x300, 0x20000) if unicodedata.category(chr(c)).startswith("M"))
    marks = f"[{re.escape(marks)}\u200c\u200d]"
    word = rf"\w(?:\w|{marks}|['’](?=\w)|(?<=\d)[.,](?=\d))*"
    return re.compile(rf"{UNKNOWN_TOKEN}|{word}|\S{marks}*")


def join(tokens: Iterable[str]) -> str:
    """Tokens with spaces between them, but none around the end of a line."""
    return re.sub(" ?\n ?", "\n", " ".join(tokens))


_NO_SPACE_BEFORE = set(".,;:!?%)]}’”»…،؛؟。、，！？：；）」』")
_NO_SPACE_AFTER = set("([{“‘«¿¡（「『")


def join_words(tokens: Iterable[str]) -> str:
    """Words joined as they are written: no space before a comma, after a bracket or inside quotes.

    >>> join_words(["(", "he", "said", ",", '"', "no", '"', ")", "."])
    '(he said, "no").'
    """
    parts: list[str] = []
    glue, quoted = True, False
    for token in tokens:
        closing = token == '"' and quoted
        if not (glue or closing or token in _NO_SPACE_BEFORE or token == "\n"):
            parts.append(" ")
        parts.append(token)
        if token == '"':
            quoted = not quoted
        if token == "\n":
            quoted = False
        glue = token in _NO_SPACE_AFTER or token == "\n" or (token == '"' and quoted)
    return "".join(parts)


class Pieces(Unit):
    """Byte-pair units over UTF-8 bytes (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909).

    Lossless: a byte that occurs in no unit is a unit itself, so nothing is unknown. Lines are encoded one by one,
    which is faster, so no unit reaches beyond the end of a line.
    """

    def __init__(self, tokenizer: Tokenizer):
        # The tokenizer knows of no special tokens: it would find them in the text as well. Ids are moved instead.
        self.tokenizer = tokenizer
        self.size = SPECIAL + tokenizer.get_vocab_size()

    @classmethod
    def fit(cls, rows: Sequence[Row], min_count: int, max_vocab: int) -> Self:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        if max_vocab < SPECIAL + len(alphabet):
            raise InputError(
                f"modality.max_vocab: expected at least {SPECIAL + len(alphabet)} for unit bpe "
                f"(one for each byte), got {max_vocab}"
            )
        # A pair that occurs once is worth no unit.
        trainer = trainers.BpeTrainer(
            vocab_size=max_vocab - SPECIAL,
            min_frequency=max(2, min_count),
            initial_alphabet=alphabet,
            show_progress=False,
        )
        tokenizer.train_from_iterator(_lines(rows)[0], trainer)
        return cls(tokenizer)

    def split(self, text: str) -> list[str]:
        ids, _ = self.encode([text])
        return [self.decode([i]) for i in ids.tolist()]

    def encode(self, rows: Sequence[Row]) -> tuple[Ids, Ids]:
        lines, counts = _lines(rows)
        ids = [encoding.ids for encoding in self.tokenizer.encode_batch_fast(lines)]
        per_line = np.array([0, *map(len, ids)], np.int64).cumsum()
        lengths = np.diff(per_line[np.array([0, *counts], np.int64).cumsum()])
        return SPECIAL + np.fromiter(chain.from_iterable(ids), np.int64, int(per_line[-1])), lengths

    def decode(self, ids: Sequence[int]) -> str:
        special = {END: "\n", UNKNOWN: "\ufffd"}
        parts: list[str] = []
        run: list[int] = []
        for i in [*ids, END]:
            if i >= SPECIAL:
                run.append(i - SPECIAL)
                continue
            parts += [self.tokenizer.decode(run, skip_special_tokens=False), special[i]]
            run = []
        return "".join(parts[:-1])

    def to_json(self) -> Any:
        return json.loads(self.tokenizer.to_str())


def _lines(rows: Sequence[Row]) -> tuple[list[str], list[int]]:
    """All lines with their ends, and how many each row has. Half a surrogate pair is no text: it becomes a ?."""
    texts = _joined(rows, " ")
    lines = [
        (text if text.isascii() else text.encode("utf-8", "replace").decode()).splitlines(keepends=True)
        for text in texts
    ]
    return list(chain.from_iterable(lines)), [len(part) for part in lines]
