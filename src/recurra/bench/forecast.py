"""A training epoch of m4_hourly beside NeuralForecast's LSTM, and how good both are after as many passes.

Both sides: one LSTM layer of the same width over windows of the same steps, as many windows in an epoch and in a batch,
quantiles of the same levels as their loss. What differs is what they are: ours reads twelve numbers a step and goes on
over the steps to come, theirs reads y alone and makes the forecast of its last states. Only updates are timed, neither
reading nor validation. The peer has its own learning rate and ours, of which the better on the test counts; it also
learns from the last hours before the test, which ours holds out. Accuracy is the official scoring of M4 (OWA against
Naive2), as the peer's over ours. ``--quick``: generated series, and no accuracy.
"""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from recurra.bench import _neuralforecast
from recurra.bench._compare import compare
from recurra.bench._epoch import training
from recurra.bench._series import table
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Spread, Target
from recurra.config import to_dict
from recurra.heads._forecast_errors import ForecastErrors
from recurra.model import Model
from recurra.runs.config import RunConfig, changed, defaults
from recurra.runs.engine import configured, learnt, train
from recurra.runs.run import FRAME, load_splits
from recurra.tasks import TASKS
from recurra.timeline import Window

if TYPE_CHECKING:
    import pandas as pd

TASK, DATA = TASKS.get("forecast"), "m4_hourly"
HORIZON, STEPS, HIDDEN, TOKENS, RATE, PASSES = 48, 168, 128, 8192, 4e-3, 10
SEASON = 24
QUICK_SERIES, QUICK_HOURS = 8, 400
PEER = "NeuralForecast"
ABSENT = f"{PEER} is not installed and so no peer: pip install 'recurra[peers]'"


@dataclass(frozen=True)
class Case:
    """steps: read. hidden: units. tokens: steps of a batch, those that are forecast included. quick: as of options."""

    steps: int
    hidden: int
    tokens: int
    quick: bool

    @property
    def settings(self) -> dict[str, Any]:
        """As recipes/m4-hourly.toml has them."""
        return {
            "data.source": FRAME if self.quick else DATA,
            "modality.season": SEASON,
            "modality.steps": self.steps,
            "modality.lags": (SEASON, 7 * SEASON),
            "modality.stride": HORIZON,
            "head.horizon": HORIZON,
            "trunk.cell": "lstm",
            "trunk.hidden": self.hidden,
            "training.batch_tokens": self.tokens,
            "training.rate": RATE,
            "seed": 1,
        }

    @cached_property
    def frame(self) -> "pd.DataFrame | None":
        """Of a quick measurement its series."""
        return table(QUICK_SERIES, QUICK_HOURS, SEASON, "h") if self.quick else None

    @property
    def batch(self) -> int:
        """Windows."""
        return max(1, self.tokens // (self.steps + HORIZON))

    @property
    def place(self) -> Place:
        return {"B": self.batch, "T": self.steps, "H": self.hidden}


class Both:
    """The same windows for both sides."""

    def __init__(self, case: Case):
        self.case = case
        self.splits = load_splits(changed(defaults(TASK), case.settings), case.frame)
        self.config: RunConfig = configured(TASK, self.splits, {**case.settings, "training.epochs": 1})
        assert self.splits.test is not None
        self.test: list[Window] = list(self.splits.test["y"])
        # Of each series the last: a quick measurement has several.
        self.last = list({window.line.id: window for window in self.test}.values())

    def ours(self, folder: Path) -> Callable[[], float]:
        """A timer of an epoch."""
        config, splits = self.config, self.splits
        torch.manual_seed(config.seed)
        model = Model(config.model, *learnt(config, splits), to_dict(config))
        batches = model.batches(splits.train, "train", tokens=self.case.tokens, truncation=0, shuffle=True)
        return training(model, batches, config.training, folder)

    def peer(self, passes: int = 1, rate: float = _neuralforecast.DEFAULT_RATE) -> _neuralforecast.Peer:
        case = self.case
        updates = passes * -(-len(self.splits.train) // case.batch)
        levels = self.config.head.quantiles
        settings = _neuralforecast.Training(
            HORIZON, case.steps, HORIZON, case.hidden, case.batch, updates, levels, rate
        )
        return _neuralforecast.Peer(known(self.last), settings)


def known(windows: Sequence[Window]) -> "pd.DataFrame":
    """All that is known before each window, in the long form, steps counted."""
    import pandas as pd

    ends = [window.origin for window in windows]
    return pd.DataFrame(
        {
            "unique_id": np.repeat([window.line.id for window in windows], ends),
            "ds": np.concatenate([np.arange(end) for end in ends]),
            "y": np.concatenate([window.line.y[: window.origin] for window in windows]),
        }
    )


def jobs(options: Options) -> list[Job]:
    found = []
    for hidden in options.hidden or (HIDDEN,):
        for steps in options.steps or (STEPS,):
            for batch in options.batch or (0,):
                case = Case(steps, hidden, batch * (steps + HORIZON) or TOKENS, options.quick)
                told = f"B {case.batch} T {steps} H {hidden}"
                there = _neuralforecast.installed()
                absent = "" if there else f" ({ABSENT})"
                found.append(Job(f"an epoch, {told}{absent}", partial(epoch, case, options)))
                if there and not options.quick:
                    found.append(Job(f"{PASSES} passes, {told}", partial(accuracy, case)))
    return found


def epoch(case: Case, options: Options) -> list[Point]:
    both = Both(case)
    peers = {PEER: both.peer().train} if _neuralforecast.installed() else {}
    with tempfile.TemporaryDirectory() as folder:
        rounds = compare(both.ours(Path(folder)), peers, options.rounds_or(1, 3))
    place = {**case.place, "windows": len(both.splits.train)}
    return [
        Point("our epoch", place, rounds.spread(), unit="s"),
        *(Point("epoch", place, rounds.ratio(peer), peer=peer) for peer in peers),
    ]


def accuracy(case: Case) -> list[Point]:
    both = Both(case)
    with tempfile.TemporaryDirectory() as folder:
        run = train(TASK.name, out=Path(folder) / "run", settings={**case.settings, "training.epochs": PASSES})
        ours = run.events[-1]["metrics"]
    theirs: list[float] = []
    place: Place = {**case.place, "passes": PASSES, "our OWA": _told(ours)}
    errors = ForecastErrors(both.test, SEASON)
    for rate in (_neuralforecast.DEFAULT_RATE, RATE):
        peer = both.peer(PASSES, rate)
        peer.train()
        said = peer.forecast()
        found = errors.with_owa(np.stack([said[window.line.id] for window in both.test]))
        theirs.append(found["owa"])
        place[f"at rate {rate:g}"] = _told(found)
    return [Point("OWA", place, Spread.of([min(theirs) / ours["owa"]]), peer=PEER)]


def _told(errors: Mapping[str, float]) -> str:
    return f"{errors['owa']:.3f} (MASE {errors['mase']:.3f}, sMAPE {errors['smape']:.2f})"


forecast = Benchmark(
    "a training epoch of m4_hourly and the accuracy after some, against NeuralForecast's LSTM",
    jobs,
    (Target("epoch", 1.5), Target("OWA", 1.0)),
)
