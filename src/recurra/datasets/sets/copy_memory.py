"""Copy memory: ten symbols are read, then a thousand blanks, and from a sign on they must be said again, in order.

A series of 1,020 steps: 10 symbols from 1 to 8, blanks (0), and from step 1,010 on the sign (9). The tag of a step is
``0``, and those of the last ten steps are the symbols. Who says 0 and then guesses has 10 log(8) / 1020 = 0.0204 nats a
step. Hochreiter & Schmidhuber 1997; the form is that of Bai et al. 2018, https://arxiv.org/abs/1803.01271, section 5.3.
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset

SYMBOLS, BLANKS = 10, 1000
ROWS = {"train": 5_000, "valid": 200, "test": 500}


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    return {split: _drawn(rows, seed) for seed, (split, rows) in enumerate(ROWS.items())}


def _drawn(rows: int, seed: int) -> Columns:
    import numpy as np

    symbols = np.random.default_rng(seed).integers(1, 9, size=(rows, SYMBOLS))
    series = np.zeros((rows, BLANKS + 2 * SYMBOLS), np.float32)
    series[:, :SYMBOLS] = symbols
    series[:, -SYMBOLS - 1 :] = 9
    before = ("0",) * (BLANKS + SYMBOLS)
    return {"series": list(series), "tags": [(*before, *map(str, row)) for row in symbols.tolist()]}


COPY_MEMORY = Dataset(
    name="copy_memory",
    summary="ten symbols to be said again after a thousand blanks; drawn from a seed",
    size=" / ".join(f"{rows:,}" for rows in ROWS.values()) + f" series of {BLANKS + 2 * SYMBOLS:,} steps",
    task="segmentation",
    licence="Apache-2.0",
    source="Hochreiter & Schmidhuber 1997, https://doi.org/10.1162/neco.1997.9.8.1735",
    read=_read,
)
