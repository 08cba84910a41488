"""Drawn series like those that are watched, and what may go wrong with them.

A series is a level with a cycle (a wave, a square or pulses), noise that is even, slow or bursty, and at times a trend;
some are never below nothing and louder where there is more. Training and validation series have nothing unusual. Each
test series has one to three anomalies after its first 15 %, of a kind drawn for each: a spike, a dip, a new level, loud
noise, silence, a cycle that is left out or runs at another pace, a slow drift. Column ``windows``, as NAB has it:
together a tenth of the series, around the steps where the anomalies begin.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recurra.datasets.base import Columns, Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROWS = {"train": 160, "valid": 20, "test": 60}
STEPS = (1000, 4000)
KINDS = ("spike", "dip", "level", "louder", "silence", "skipped", "pace", "drift")
WINDOWS = 0.1


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    import numpy as np

    found: dict[str, Columns] = {}
    for seed, (split, rows) in enumerate(ROWS.items()):
        draw = np.random.default_rng(seed)
        drawn = [_drawn(draw, split == "test") for _ in range(rows)]
        found[split] = {
            "id": [f"{split} {i}" for i in range(1, rows + 1)],
            "series": [series for series, _ in drawn],
            "windows": [windows for _, windows in drawn],
        }
    return found


def _drawn(draw: "np.random.Generator", unusual: bool) -> "tuple[Array, str]":
    """A series [T, 1] and its windows."""
    import numpy as np

    steps = int(draw.integers(*STEPS))
    period = float(np.exp(draw.uniform(np.log(12), np.log(300))))
    pace, size, noise = np.full(steps, 1 / period), np.full(steps, draw.choice([0.0, 1.0, 1.0])), np.ones(steps)
    added = np.zeros(steps)
    loud = float(np.exp(draw.uniform(np.log(0.02), np.log(1.0))))
    windows = ""
    if unusual:
        count = int(draw.integers(1, 4))
        half = int(WINDOWS * steps / count / 2)
        starts = [int(draw.uniform(0.2 + 0.7 * i / count, 0.2 + 0.7 * (i + 0.7) / count) * steps) for i in range(count)]
        for start in starts:
            _disturb(draw, str(draw.choice(KINDS)), start, period, loud, pace, size, noise, added)
        windows = " ".join(f"{start - half}-{min(start + half, steps - 1)}" for start in starts)
    wave = size * _wave(draw, pace.cumsum() + draw.random())
    trend = np.linspace(0, draw.choice([0.0, 0.0, 1.0]) * draw.normal(), steps)
    values = wave + trend + loud * noise * _noise(draw, steps) + added
    if draw.random() < 0.3:  # counts and loads: never below nothing, and louder where there is more
        values = np.exp(0.8 * values)
    return ((values * 10 ** draw.uniform(-2, 4) + draw.normal() * 10)[:, None]), windows


def _wave(draw: "np.random.Generator", phase: "Array") -> "Array":
    import numpy as np

    turn = phase % 1
    match draw.integers(4):
        case 0:
            return np.sin(2 * np.pi * phase)
        case 1:
            return np.where(turn < draw.uniform(0.2, 0.8), 1.0, -1.0)
        case 2:
            return np.where(turn < draw.uniform(0.03, 0.1), 3.0, 0.0)
        case _:
            return np.sin(2 * np.pi * phase) + draw.uniform(0.2, 0.6) * np.sin(4 * np.pi * phase + draw.random())


def _noise(draw: "np.random.Generator", steps: int) -> "Array":
    """Of deviation 1 or so: white, or slow, or now and then a burst."""
    import numpy as np

    match draw.integers(4):
        case 0 | 1:
            return draw.normal(size=steps)
        case 2:
            keep, white = draw.uniform(0.5, 0.97), draw.normal(size=steps)
            slow = np.zeros(steps)
            for t in range(1, steps):
                slow[t] = keep * slow[t - 1] + white[t]
            steady: Array = slow * np.sqrt(1 - keep**2)
            return steady
        case _:
            return draw.standard_t(3, size=steps)


def _disturb(
    draw: "np.random.Generator",
    kind: str,
    start: int,
    period: float,
    loud: float,
    pace: "Array",
    size: "Array",
    noise: "Array",
    added: "Array",
) -> None:
    """Changes a series' parts by one anomaly, from ``start`` on. loud: the noise's deviation."""
    import numpy as np

    large = (loud + 0.3) * draw.uniform(3, 8)
    some = slice(start, start + int(draw.uniform(20, 100)))
    cycle = slice(start, start + int(max(period, 20)))
    match kind:
        case "spike":
            added[start : start + int(draw.integers(1, 4))] += large
        case "dip":
            added[start : start + int(draw.integers(1, 10))] -= large
        case "level":
            added[start:] += large * draw.choice([-0.5, 0.5])
        case "louder":
            noise[some] *= draw.uniform(4, 8)
        case "silence":
            noise[some], size[some] = 0.0, 0.0
        case "skipped":
            size[cycle] = 0.0
        case "pace":
            pace[cycle] *= draw.choice([0.4, 2.5])
        case "drift":
            length = len(added[start : start + 200])
            added[start : start + 200] += 2 * large * np.linspace(0, 1, length)


SIGNALS = Dataset(
    name="signals",
    summary="drawn series with cycles, noise and trends, and in the test rows with anomalies; drawn from a seed",
    size=" / ".join(f"{rows:,}" for rows in ROWS.values()) + f" series of {STEPS[0]:,} to {STEPS[1]:,} steps",
    task="anomaly",
    licence="Apache-2.0",
    source="Recurra",
    read=_read,
)
