"""Alphabets of biological sequences: their letters, and what the codes for several letters stand for."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

# IUPAC-IUB 1984, https://doi.org/10.1093/nar/13.9.3021. U is the T of RNA.
BASES = {
    **{"A": "A", "C": "C", "G": "G", "T": "T", "U": "T", "R": "AG", "Y": "CT", "S": "CG", "W": "AT", "K": "GT"},
    **{"M": "AC", "B": "CGT", "D": "AGT", "H": "ACT", "V": "ACG", "N": "ACGT"},
}
COMPLEMENTS = {"A": "T", "C": "G", "G": "C", "T": "A"}

# IUPAC-IUB 1983, https://doi.org/10.1111/j.1432-1033.1984.tb07877.x; with U (selenocysteine), O (pyrrolysine), J, stop.
_RESIDUES = "ACDEFGHIKLMNPQRSTVWYUO*"
RESIDUES = {**{x: x for x in _RESIDUES}, "B": "DN", "Z": "EQ", "J": "IL", "X": "ACDEFGHIKLMNPQRSTVWY"}


@dataclass(frozen=True)
class Alphabet:
    """letters: the K symbols. codes: every character that may be read, to the letters that it stands for.

    caps: whether small letters are read as large ones. complements: each letter's, where there are two strands.
    """

    letters: str
    codes: dict[str, str]
    caps: bool = False
    complements: dict[str, str] | None = None

    def table(self) -> NDArray[np.float32]:
        """[P, K]: each code point's shares of the letters, evenly among those it stands for; NaN for no symbol."""
        points = {ord(code): letters for code, letters in self.codes.items()}
        if self.caps:
            points |= {ord(code.lower()): letters for code, letters in self.codes.items()}
        # One row more than the largest code point: all larger ones are sent there.
        table = np.full((max(points) + 2, len(self.letters)), np.nan, np.float32)
        for point, letters in points.items():
            table[point] = [(letter in letters) / len(letters) for letter in self.letters]
        return table


NAMED = {
    "dna": Alphabet("ACGT", BASES, caps=True, complements=COMPLEMENTS),
    "protein": Alphabet(_RESIDUES, RESIDUES, caps=True),
}


def of_letters(letters: str) -> Alphabet:
    """Letters that stand for themselves alone."""
    return Alphabet(letters, {letter: letter for letter in letters})
