"""The adding problem: two of 600 numbers are marked, and their sum is wanted.

Channel 1 holds numbers drawn evenly from 0 to 1, channel 2 is 1 at two steps, wherever they are, and else 0. Who always
says 1 has a mean squared error of 1/6. Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735; the
form is that of Bai et al. 2018, https://arxiv.org/abs/1803.01271, section 5.1.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset

STEPS = 600
ROWS = {"train": 10_000, "valid": 1_000, "test": 1_000}


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _drawn(rows, seed) for seed, (split, rows) in enumerate(ROWS.items())}


def _drawn(rows: int, seed: int) -> Columns:
    import numpy as np

    draw = np.random.default_rng(seed)
    numbers = draw.random((rows, STEPS), np.float32)
    marks = np.zeros_like(numbers)
    first, apart = draw.integers(STEPS, size=rows), draw.integers(1, STEPS, size=rows)
    for step in (first, (first + apart) % STEPS):
        marks[np.arange(rows), step] = 1
    return {"series": list(np.stack([numbers, marks], axis=2)), "number": (numbers * marks).sum(1).tolist()}


ADDING = Dataset(
    name="adding",
    summary="the adding problem over 600 steps: the sum of the two numbers that are marked; drawn from a seed",
    size=" / ".join(f"{rows:,}" for rows in ROWS.values()) + f" series of {STEPS} steps, 2 channels",
    task="regression",
    licence="Apache-2.0",
    source="Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735",
    read=_read,
)
