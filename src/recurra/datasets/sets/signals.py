"""Drawn series like those that are watched, and what may go wrong with them.

A series is a level with a cycle, noise that is even, slow or bursty, and at times a trend. Half of the cycles are days,
of a step every 5 to 60 minutes, most of them with other weekends; the others have any length (a wave, a square or
pulses). Some series are never below nothing and louder where there is more; some are counts; some wander, have rare
pulses of their own, are rounded, or hold their last value for a while, as where readings are missing: all that is
usual there. Training and validation series have nothing unusual. Each test series has one to three anomalies after its
first 15 %, of a kind drawn for each: a spike, a dip, a new level, loud noise, silence, a value that stays, a cycle that
is left out or runs at another pace, a slow drift. Column ``windows``, as NAB has it: together a tenth of the series,
around the steps where the anomalies begin.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from recurra.datasets.base import Columns, Dataset

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

ROWS = {"train": 240, "valid": 30, "test": 90}
STEPS = (1000, 4000)
KINDS = ("spike", "dip", "level", "louder", "silence", "stuck", "skipped", "pace", "drift")
# Minutes between two steps, where the cycle is a day.
MINUTES = (5, 5, 5, 10, 15, 30, 60)
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
    daily = draw.random() < 0.5
    period = 1440 / draw.choice(MINUTES) if daily else float(np.exp(draw.uniform(np.log(12), np.log(300))))
    pace, size, noise = np.full(steps, 1 / period), np.full(steps, draw.choice([0.0, 1.0, 1.0])), np.ones(steps)
    added = np.zeros(steps)
    loud = float(np.exp(draw.uniform(np.log(0.02), np.log(1.0))))
    windows, stuck = "", []
    if unusual:
        count = int(draw.integers(1, 4))
        half = int(WINDOWS * steps / count / 2)
        starts = [int(draw.uniform(0.2 + 0.7 * i / count, 0.2 + 0.7 * (i + 0.7) / count) * steps) for i in range(count)]
        for start in starts:
            kind = str(draw.choice(KINDS))
            _disturb(draw, kind, start, period, loud, pace, size, noise, added)
            stuck += [start] * (kind == "stuck")
        windows = " ".join(f"{start - half}-{min(start + half, steps - 1)}" for start in starts)
    phase = pace.cumsum() + 7 * draw.random()
    wave = size * (_days(draw, phase) if daily else _wave(draw, phase))
    values = wave + loud * noise * _noise(draw, steps) + _slow(draw, steps) + added
    if draw.random() < 0.3:  # counts and loads: never below nothing, and louder where there is more
        values = np.exp(0.8 * values)
        if draw.random() < 0.5:
            values = draw.poisson(np.minimum(values * draw.uniform(1, 50), 1e6)).astype(np.float64)
    values = _read_out(draw, values, stuck)
    return ((values * 10 ** draw.uniform(-2, 4) + draw.normal() * 10)[:, None]), windows


def _slow(draw: "np.random.Generator", steps: int) -> "Array":
    """What comes beside cycle and noise: nothing, a trend, a wandering level; and rare pulses of one size."""
    import numpy as np

    found = np.linspace(0, draw.choice([0.0, 0.0, 1.0]) * draw.normal(), steps)
    if draw.random() < 0.2:
        found += draw.normal(size=steps).cumsum() * draw.uniform(0.2, 2) / np.sqrt(steps)
    if draw.random() < 0.2:
        found += draw.uniform(1, 4) * (draw.random(steps) < 10 ** draw.uniform(-2.5, -1))
    return found


def _read_out(draw: "np.random.Generator", values: "Array", stuck: list[int]) -> "Array":
    """As a meter gives them: at times rounded, or the last value for a while, for long from each of ``stuck`` on."""
    import numpy as np

    if draw.random() < 0.25:
        grain = values.std() / draw.uniform(2, 50) + 1e-9
        values = np.round(values / grain) * grain
    held = np.flatnonzero(draw.random(len(values)) < (0.003 if draw.random() < 0.15 else 0.0))
    short = [(int(start), int(draw.integers(2, 12))) for start in held]
    for start, length in short + [(start, int(draw.integers(40, 120))) for start in stuck]:
        values[start : start + length] = values[start]
    return values


def _days(draw: "np.random.Generator", phase: "Array") -> "Array":
    """A day's cycle, of deviation about 1, that is less at weekends in three of four. phase: days from a Monday on."""
    import numpy as np

    turn = phase % 1
    begin, end, edge = draw.uniform(0.2, 0.45), draw.uniform(0.55, 0.95), draw.uniform(0.01, 0.08)
    work = np.tanh((turn - begin) / edge) - np.tanh((turn - end) / edge) - 1
    wave = np.sin(2 * np.pi * (turn - draw.random())) + draw.uniform(0, 0.6) * np.sin(
        4 * np.pi * (turn - draw.random())
    )
    peak = draw.uniform(0, 2) * np.exp(-(((turn - draw.uniform(0.1, 0.9)) / draw.uniform(0.01, 0.05)) ** 2))
    share = draw.random()
    found = share * work + (1 - share) * wave + peak
    rest = draw.choice([1.0, draw.uniform(0, 1), draw.uniform(0, 1), draw.uniform(0.5, 1)])
    return np.where(phase % 7 >= 5, rest * (found - found.min()) + found.min(), found)


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
        case "stuck":
            pass  # by what reads the series out
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
