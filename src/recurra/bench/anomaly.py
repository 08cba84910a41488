"""Points a second through one anomaly detector that steps many live series as one batch, against a series at a time.

The detector is that of the task ``anomaly`` with fresh weights, which cost what trained ones do; each step's numbers
enter in the series' own unit and come out scored, with alarms.
"""

import time
from functools import partial

import numpy as np
import torch

from recurra.bench._compare import OURS, compare
from recurra.bench.base import Benchmark, Job, Options, Point, Spread, Target
from recurra.modalities.signal import Signal
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.streaming import AnomalyStreams
from recurra.tasks import TASKS

STREAMS = (1, 64, 1024)
STEPS = 40
AT_ONCE = "many at once"
# Points a second.
ENOUGH = 20_000


def jobs(options: Options) -> list[Job]:
    return [Job(f"{count:,} live series", partial(measure, count, options)) for count in options.batch or STREAMS]


def measure(count: int, options: Options) -> list[Point]:
    config = defaults(TASKS.get("anomaly"))
    torch.manual_seed(0)
    model = Model(config.model, Signal(config.modality, 1), {}).eval()
    draw = np.random.default_rng(0)
    many, one = AnomalyStreams(model, count), AnomalyStreams(model, 1)
    keys, single = [many.join() for _ in range(count)], [one.join()]

    def together() -> float:
        points = draw.normal(size=(STEPS, count, 1))
        start = time.perf_counter()
        for step in points:
            many.feed(keys, step)
        return (time.perf_counter() - start) / (STEPS * count)

    def apart() -> float:
        points = draw.normal(size=(STEPS, 1, 1))
        start = time.perf_counter()
        for step in points:
            one.feed(single, step)
        return (time.perf_counter() - start) / STEPS

    rounds = compare(together, {"a series at a time": apart}, options.rounds_or(3, 11))
    seconds = Spread.of([1000 * x for x in rounds.seconds[OURS]])
    group = AT_ONCE if count >= max(options.batch or STREAMS) else "fewer"
    place: dict[str, int | str] = {"series": count, "points a second": f"{1000 / seconds.median:,.0f}"}
    return [
        Point(f"1,000 points, {group}", place, seconds, unit="s"),
        Point("one of many", place, rounds.ratio("a series at a time"), peer="a series at a time"),
    ]


anomaly = Benchmark(
    "live series scored by one anomaly detector, many as one batch",
    jobs,
    (Target(f"1,000 points, {AT_ONCE}", 1000 / ENOUGH, at_most=True),),
)
