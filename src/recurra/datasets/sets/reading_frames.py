"""Open reading frames: which bases of a drawn sequence lie between a start codon and the next stop in its frame.

``c`` from ATG to the first of TAA, TAG and TGA that is a multiple of three bases on, ``n`` elsewhere. An ATG without
such a stop before the end begins nothing, so what follows a base must be heard as well as what is before it.
"""

import random
from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset

# Sequences of each split, and bases of the shortest and the longest.
SPLITS = {"train": 4_000, "valid": 200, "test": 400}
SHORTEST, LONGEST = 30, 150
STOPS = ("TAA", "TAG", "TGA")


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _drawn(rows, seed) for seed, (split, rows) in enumerate(SPLITS.items())}


def _drawn(rows: int, seed: int) -> Columns:
    draw = random.Random(seed)
    sequences = ["".join(draw.choices("ACGT", k=draw.randint(SHORTEST, LONGEST))) for _ in range(rows)]
    return {"symbols": sequences, "tags": list(map(_tags, sequences))}


def _tags(sequence: str) -> str:
    tags, place = "", 0
    while place < len(sequence):
        codons = range(place, len(sequence) - 2, 3) if sequence.startswith("ATG", place) else range(0)
        end = next((i + 3 for i in codons if sequence[i : i + 3] in STOPS), 0)
        tags += "c" * (end - place) if end else "n"
        place = end or place + 1
    return tags


READING_FRAMES = Dataset(
    name="reading_frames",
    summary="open reading frames in drawn DNA, a tag for each base; drawn from a seed",
    size="4,000 / 200 / 400 sequences of 30 to 150 bases",
    task="dna-tags",
    licence="Apache-2.0",
    source="the genetic code: Nirenberg et al. 1965, https://doi.org/10.1073/pnas.53.5.1161",
    read=_read,
)
