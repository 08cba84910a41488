"""Parity: whether a series of zeros and ones holds an odd number of ones.

A single bit decides, wherever it stands. To know it, a state must be flipped by a one and left by a zero: a linear
cell whose memory only fades cannot (Sarrof et al. 2024, https://arxiv.org/abs/2405.17394). The test series are longer
than all that is learnt from, as in Beck et al. 2024, https://arxiv.org/abs/2405.04517: who only knows patterns by
heart is found out.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset

# Rows, shortest and longest series of each split.
SPLITS = {"train": (20_000, 1, 40), "valid": (1_000, 21, 40), "test": (1_000, 41, 256)}


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _drawn(*of, seed) for seed, (split, of) in enumerate(SPLITS.items())}


def _drawn(rows: int, shortest: int, longest: int, seed: int) -> Columns:
    import numpy as np

    draw = np.random.default_rng(seed)
    # Evenly on a logarithmic scale: the rule is learnt from the short ones, which must be in every part of an epoch.
    lengths = np.exp(draw.uniform(np.log(shortest), np.log(longest + 1), size=rows)).astype(int).clip(max=longest)
    bits = [draw.integers(2, size=length).astype(np.float32) for length in lengths]
    return {"series": bits, "label": ["odd" if row.sum() % 2 else "even" for row in bits]}


PARITY = Dataset(
    name="parity",
    summary="whether zeros and ones hold an odd number of ones, tested on longer series; drawn from a seed",
    size="20,000 series of 1 to 40 steps / 1,000 of 21 to 40 / 1,000 of 41 to 256",
    task="gesture",
    licence="Apache-2.0",
    source="Minsky & Papert 1969; the lengths are those of Beck et al. 2024, https://arxiv.org/abs/2405.04517",
    read=_read,
)
