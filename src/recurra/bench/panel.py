"""Forecasting many series: what ``Forecaster`` takes for up to a million points, and how that grows with their number.

Each size is a process of its own, which first trains on a few series: what Python loads and compiles once is no part of
what grows. Then it reads a table of series with a weekly season, trains on it for one epoch, with all that ``fit``
does (windows, validation, calibration, test, report), and forecasts every series. Seconds are the processor's, of all
threads, which others on the machine have no part in. Peak memory is the whole process's; the growth is of what it held
beyond what it held before it made the table. The exponents are slopes of a straight line through the sizes on two
logarithmic scales: 1 is linear.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from recurra.bench import _child, _resident
from recurra.bench._series import table
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Spread, Target, Unit

SERIES, QUICK = (1_000, 3_000, 10_000), (300, 1_000)
POINTS, HORIZON, HIDDEN = 100, 10, 32
FEW = 20
# A tenth above 1, over a decade of sizes, is a quarter more for each series.
LINEAR = 1.1
MEASURED: dict[str, Unit] = {"fit": "s", "predict": "s", "peak memory": "MiB"}
GROWING = ("fit", "predict", "memory")


def jobs(options: Options) -> list[Job]:
    """Raises InputError where the system does not tell how much memory there is in use."""
    _resident.check("panel")
    sizes = sorted(options.batch) or (QUICK if options.quick else SERIES)
    told = ", ".join(f"{size:,}" for size in sizes)
    return [Job(f"{told} series, H {h}", partial(measure, sizes, h, options)) for h in options.hidden or (HIDDEN,)]


def measure(sizes: Sequence[int], hidden: int, options: Options) -> list[Point]:
    rounds = [
        {size: _child.call(__name__, "costs", {"series": size, "hidden": hidden}) for size in sizes}
        for _ in range(options.rounds_or(1, 3))
    ]
    points = []
    for size in sizes:
        place: Place = {"series": size, "points": size * POINTS, "H": hidden}
        for name, unit in MEASURED.items():
            points.append(Point(name, place, Spread.of([found[size][name] for found in rounds]), unit))
    if len(sizes) > 1:
        place = {"series": f"{sizes[0]:,} to {sizes[-1]:,}", "H": hidden}
        for name in GROWING:
            slopes = [slope(sizes, [found[size][name] for size in sizes]) for found in rounds]
            points.append(Point(f"growth of {name}", place, Spread.of(slopes), "exponent"))
    return points


def slope(sizes: Sequence[float], costs: Sequence[float]) -> float:
    """The exponent p of costs that grow as sizes ** p.

    >>> round(slope([10, 100, 1000], [3.0, 300.0, 30_000.0]), 6)
    2.0
    """
    return statistics.linear_regression([math.log(n) for n in sizes], [math.log(c) for c in costs]).slope


def costs(series: int, hidden: int) -> dict[str, float]:
    """In a process of its own: seconds of ``fit`` and ``predict``; MiB that they need, and of the whole process."""
    _trained(FEW, hidden)
    found: dict[str, float] = {}
    before, highest = _resident.around(lambda: found.update(_trained(series, hidden)))
    return {**found, "memory": (highest - before) / 2**20, "peak memory": highest / 2**20}


def _trained(series: int, hidden: int) -> dict[str, float]:
    from recurra.runs.forecaster import Forecaster

    frame = table(series, POINTS, season=7, frequency="D")
    with tempfile.TemporaryDirectory() as folder:
        # As many windows of each series, however many series there are.
        settings: dict[str, Any] = {"modality.stride": HORIZON, "trunk.hidden": hidden, "training.epochs": 1}
        forecaster = Forecaster(HORIZON, out=Path(folder) / "run", **settings)
        start = time.process_time()
        forecaster.fit(frame)
        trained = time.process_time()
        forecaster.predict()
        return {"fit": trained - start, "predict": time.process_time() - trained}


panel = Benchmark(
    "many series read, trained on for an epoch and forecast: seconds, memory, and how they grow",
    jobs,
    (Target("growth", LINEAR, each=True, at_most=True),),
)
