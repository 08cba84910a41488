"""Sequences over a small alphabet: DNA, RNA, proteins, or any letters."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError
from recurra.modalities._alphabets import NAMED, Alphabet, of_letters
from recurra.modalities.base import Modality
from recurra.sequences import Ragged

# Where so large a share of sequences is of one alphabet, the others are mistakes.
NEARLY = 0.95


@dataclass(frozen=True)
class SymbolsConfig:
    """Settings of the modality ``symbols``."""

    alphabet: Literal["auto", "dna", "protein", "letters"] = setting(
        "auto",
        "dna: A C G T, U as T, and IUPAC's codes for several of them; protein: amino acids, and theirs; letters: those "
        "of the training rows; auto: the first of these that the training rows fit",
    )
    strands: Literal["one", "both"] = setting(
        "one",
        "both: a sequence and its reverse complement say the same: training reads either, drawn anew each time, and "
        "predictions average their scores",
    )

    def __post_init__(self) -> None:
        if self.strands == "both" and self.alphabet not in ("auto", "dna"):
            raise InputError(f"modality.strands: both is for alphabet dna, not for {self.alphabet}")


class Symbols(Modality):
    """An alphabet of K letters; each step is its letter's share, [K]: 1 and zeros, or of a code for several their mean.

    A row is a str. Small letters of DNA and proteins are read as large ones (lower case marks repeats, no other bases).

    >>> modality = Symbols.fit(SymbolsConfig(), ["ACGT", "GATTACA"])
    >>> modality.encode("tR").tolist()
    [[0.0, 0.0, 0.0, 1.0], [0.5, 0.0, 0.5, 0.0]]
    """

    config = SymbolsConfig
    role = "symbols"

    def __init__(self, settings: SymbolsConfig, alphabet: Alphabet):
        self.settings, self.alphabet, self.table = settings, alphabet, alphabet.table()
        if settings.strands == "both" and alphabet.complements is None:
            raise InputError("modality.strands: both is for alphabet dna, which these sequences are not")

    @classmethod
    def fit(cls, config: SymbolsConfig, rows: Iterable[Any], running: bool = False) -> Self:
        """The alphabet of the training rows. Raises InputError where they hold nothing, or do not fit the one named."""
        rows = [_checked(row) for row in rows]
        found = set().union(*rows) if rows else set()
        if not found:
            raise InputError(f"column symbols: nothing but empty sequences in {len(rows)} training rows")
        choice: str = config.alphabet
        if choice == "auto":
            choice = next((name for name in NAMED if _fits(found, name)), "letters")
            _check_odd(rows, choice)
        if config.strands == "both" and choice != "dna":
            raise InputError(f"modality.strands: both is for alphabet dna, which {_odd(rows, 'dna')}")
        made = cls(config, NAMED[choice] if choice != "letters" else of_letters("".join(sorted(found))))
        made.encode_all(rows)
        return made

    def encode(self, row: Any) -> Tensor:
        """One row's steps, [T, K] float32."""
        return self.encode_all([row]).values

    def encode_all(self, rows: Iterable[Any]) -> Ragged:
        """All rows' steps: values [N, K] float32. Raises InputError for what is no symbol, naming row and position."""
        rows = [_checked(row) for row in rows]
        points = np.frombuffer("".join(rows).encode("utf-32-le", "surrogatepass"), "<u4")
        values = self.table[np.minimum(points, len(self.table) - 1)]
        offsets = np.array([0, *map(len, rows)]).cumsum()
        if np.isnan(values).any():
            place = int(np.isnan(values[:, 0]).argmax())
            row = int(np.searchsorted(offsets, place, "right")) - 1
            at = place - int(offsets[row])
            around = rows[row][max(0, at - 10) : at + 10]
            raise InputError(
                f"sequence {row + 1}, position {at + 1} (in {around!r}): {chr(points[place])!r} is no symbol of the "
                f"alphabet; known are {' '.join(self.alphabet.codes)}"
            )
        return Ragged(torch.from_numpy(values), torch.from_numpy(offsets))

    def mirrored(self, inputs: Ragged) -> Ragged | None:
        """The reverse complements, where both strands say the same."""
        complements = self.alphabet.complements
        if self.settings.strands == "one" or complements is None:
            return None
        order = [self.alphabet.letters.index(complements[letter]) for letter in self.alphabet.letters]
        return inputs.with_values(inputs.values[:, order]).reversed()

    @property
    def kind(self) -> str:
        """Which alphabet this is, as the setting calls it."""
        return next((name for name, known in NAMED.items() if known == self.alphabet), "letters")

    def notes(self, rows: Iterable[Any]) -> list[str]:
        """The alphabet, where it was found."""
        if self.settings.alphabet != "auto":
            return []
        return [f"alphabet {self.kind}: {' '.join(self.alphabet.letters)} (found; modality.alphabet says otherwise)"]

    def decode(self, steps: Tensor) -> str:
        """The sequence, with IUPAC's code where a step is of several letters."""
        shares = self.table[[ord(code) for code in self.alphabet.codes]]
        nearest = np.abs(steps.numpy()[:, None] - shares).sum(-1).argmin(-1)
        codes = list(self.alphabet.codes)
        return "".join(codes[i] for i in nearest)

    def natural_width(self, hidden: int) -> int:
        return len(self.alphabet.letters)

    def encoder(self, width: int) -> nn.Module:
        """The shares as they are where ``width`` is K, and else a linear map: an embedding, averaged for codes."""
        letters = len(self.alphabet.letters)
        return nn.Identity() if width == letters else nn.Linear(letters, width)

    def to_json(self) -> dict[str, Any]:
        return {"settings": to_dict(self.settings), "alphabet": self.kind, "letters": self.alphabet.letters}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Self:
        try:
            kind = values["alphabet"]
            alphabet = of_letters(values["letters"]) if kind == "letters" else NAMED[kind]
            return cls(from_dict(SymbolsConfig, values["settings"]), alphabet)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"symbols: not what was saved by modality symbols ({error})") from error


def _fits(letters: Iterable[str], alphabet: str) -> bool:
    """Whether all of these are codes of an alphabet, of either case."""
    return {letter.upper() for letter in letters} <= set(NAMED[alphabet].codes)


def _check_odd(rows: list[str], found: str) -> None:
    """Raises InputError where nearly all rows are of an alphabet before the one found: the others are mistakes."""
    for name in NAMED:
        if name == found:
            return
        fitting = sum(_fits(row, name) for row in rows)
        if fitting >= NEARLY * len(rows):
            raise InputError(
                f"column symbols: {fitting:,} of {len(rows):,} sequences are {name}, which {_odd(rows, name)}; correct "
                f"it or leave it out, or say which alphabet this is: modality.alphabet={found}"
            )


def _odd(rows: list[str], alphabet: str) -> str:
    """Which sequence is not of an alphabet, and why."""
    number, row = next((i, row) for i, row in enumerate(rows, 1) if not _fits(row, alphabet))
    at = next(i for i, letter in enumerate(row) if not _fits(letter, alphabet))
    return f"sequence {number} is not, by its letter {row[at]!r} at {at + 1} (in {row[max(0, at - 20) : at + 20]!r})"


def _checked(row: Any) -> str:
    if isinstance(row, str):
        return row
    if isinstance(row, Sequence) and all(isinstance(part, str) for part in row):
        return "".join(row)
    raise InputError(f"symbols: expected a str, got {type(row).__name__} ({row!r})")
