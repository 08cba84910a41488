"""How unusual each step of a series is, with a threshold for a wanted rate of alarms."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recurra.anomalies.nab import PROFILES, nab_score, probation
from recurra.anomalies.unusual import Habits, score_of, unusual
from recurra.config import setting
from recurra.errors import DataError, InputError
from recurra.heads.base import Head, Meter, Objective
from recurra.modalities import Modality
from recurra.modalities.signal import Signal
from recurra.rivals.windowed_gaussian import windowed_gaussian
from recurra.sequences import Ragged
from recurra.trunk import TrunkConfig

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

# The deviation that softplus gives for this is 1.
ONE = math.log(math.e - 1)
LEAST_DEVIATION = 0.01
# Encoded steps that are farther from the running mean count as this far.
FAR = 8.0
# The series with the highest score is drawn, in so many points.
DRAWN = 2000


@dataclass(frozen=True)
class AnomalyConfig:
    """Settings of the head ``anomaly``."""

    way: Literal["forecast", "autoencoder"] = setting(
        "forecast", "what an error is: of forecasting the next step, or of rebuilding the last steps from a short code"
    )
    window: int = setting(24, "autoencoder: how many of the last steps are rebuilt")
    code: int = setting(6, "autoencoder: numbers that they are rebuilt from")
    alarm_rate: float = setting(0.001, "wanted share of alarms among ordinary steps; it sets the threshold")
    memory: int = setting(2000, "about how many steps back errors count in what is usual")
    recent: int = setting(10, "steps of the short mean of errors, which is watched too")
    last: int = setting(20, "about how many last steps' values are held against all that the memory has")
    quiet: int = setting(100, "steps after a score in which one about as high is of the same event, and no new alarm")
    warm: int = setting(50, "steps at the beginning of a series whose score is 0")

    def __post_init__(self) -> None:
        at_least = {"window": 2, "code": 1, "memory": 100, "recent": 1, "last": 2, "quiet": 0, "warm": 0}
        for name, least in at_least.items():
            if getattr(self, name) < least:
                raise InputError(f"head.{name}: expected at least {least}, got {getattr(self, name)}")
        if not 0 < self.alarm_rate < 1:
            raise InputError(f"head.alarm_rate: expected a share between 0 and 1, got {self.alarm_rate}")

    @property
    def habits(self) -> Habits:
        return Habits(self.memory, self.recent, self.last, self.quiet, self.warm)

    @property
    def threshold(self) -> float:
        """What a score reaches as rarely as alarms are wanted: scores say how rare a step is, whatever the series."""
        return float(score_of(self.alarm_rate))


class Anomaly(Head):
    """Scores each step by how unusual the network's error at it is (``anomalies.unusual``).

    forecast: the next step's mean and deviation from all before it, by their likelihood (Malhotra et al. 2015; Hundman
    et al. 2018, https://arxiv.org/abs/1802.04431); the error is in deviations. autoencoder: the last ``window`` steps,
    rebuilt by a linear map from a short code of the state, and the error over them (Malhotra et al. 2016,
    https://arxiv.org/abs/1607.00148, but read on and on, where theirs begins anew with every window).
    """

    config = AnomalyConfig
    optional = ("windows",)
    gaps = ("windows",)
    pointwise = True
    objective = Objective("nats", maximise=False)

    def __init__(
        self, config: AnomalyConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        assert isinstance(modality, Signal)
        self.settings, self.channels = config, modality.channels
        if config.way == "forecast":
            self.layers = nn.ModuleList([nn.Linear(width, 2 * self.channels)])
        else:
            wide = config.window * self.channels
            self.layers = nn.ModuleList([nn.Linear(width, config.code), nn.Linear(config.code, wide)])

    @classmethod
    def check(cls, config: AnomalyConfig, trunk: TrunkConfig) -> None:
        if trunk.bidirectional:
            raise InputError("trunk.bidirectional: expected false, as a series is scored while it comes")

    @classmethod
    def learn(cls, config: AnomalyConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        return {}

    def targets(self, frame: "pd.DataFrame", where: str) -> Ragged:
        """Each step as encoded, and the number of the window that it lies in, from 1, or 0: [N, C + 1]."""
        steps = self._own(self.modality.encode_all(list(frame["series"])))
        marks = torch.zeros(len(steps.values), 1)
        if "windows" in frame:
            for row, (text, start) in enumerate(zip(frame["windows"], steps.offsets.tolist(), strict=False)):
                length = int(steps.lengths[row])
                for i, (first, last) in enumerate(_windows(text, length, f"{where}, row {frame.index[row]}"), 1):
                    marks[start + first : start + last + 1] = i
        return steps.with_values(torch.cat([steps.values, marks], dim=1))

    def _own(self, inputs: Ragged) -> Ragged:
        """What was read without the seasons behind it, [N, C]."""
        return inputs.with_values(inputs.values[:, : self.channels])

    def outputs(self, features: Tensor) -> Tensor:
        """features: [N, F]. Returns [N, 2C], mean and raw deviation of the next step, or the last steps rebuilt."""
        for layer in self.linears:
            features = layer(features)
        return features

    @property
    def linears(self) -> list[nn.Linear]:
        """The layers between features and outputs, the lowest first."""
        return [layer for layer in self.layers if isinstance(layer, nn.Linear)]

    def expected(self, outputs: Tensor) -> tuple[Tensor, Tensor]:
        """forecast: mean and deviation of the next step, both [N, C]."""
        mean, raw = outputs.chunk(2, dim=-1)
        return mean, functional.softplus(raw + ONE) + LEAST_DEVIATION

    def paired(self, features: Ragged, steps: Tensor) -> tuple[Tensor, Tensor]:
        """What the network said at each step, and what that is held against, as ``nats`` and ``squares`` take them.

        forecast: outputs of the step before, of a first step another row's. steps: as encoded, [N, C].
        """
        outputs, steps = self.outputs(features.values), steps.to(features.values.dtype)
        if self.settings.way == "forecast":
            return outputs.roll(1, 0), steps
        at = torch.arange(len(steps), device=steps.device)[:, None]
        back = at - torch.arange(self.settings.window, device=steps.device)
        before = back < features.offsets[:-1].repeat_interleave(features.lengths)[:, None]
        return outputs, steps[back.clamp(min=0)].masked_fill(before[:, :, None], math.nan)

    def nats(self, outputs: Tensor, steps: Tensor) -> Tensor:
        """What the network said, held against what it spoke of: the loss in nats, [N].

        forecast: outputs of the step before, and steps [N, C]. autoencoder: outputs of the last step, and the steps up
        to it, the last in front: [N, window, C], NaN before the beginning.
        """
        if self.settings.way == "forecast":
            mean, deviation = self.expected(outputs)
            square = ((steps - mean) / deviation).square()
            return (square / 2 + deviation.log() + math.log(math.tau) / 2).sum(1)
        steps = steps.flatten(1)
        there = ~steps.isnan()
        # What is not there must not come near the gradient either: NaN times nothing is NaN.
        square = torch.where(there, outputs - steps.nan_to_num(), 0).square()
        return square.sum(1) / there.sum(1) * self.channels / 2

    def squares(self, outputs: Tensor, steps: Tensor) -> Array:
        """Each channel's squared error, [N, C], NaN where there is none yet; outputs and steps as for ``nats``.

        In numpy, whose functions of a number, unlike torch's, do not depend on how many others there are: a live series
        has the same error alone and among others.
        """
        said, steps64 = (x.detach().double().cpu().numpy() for x in (outputs, steps))
        if self.settings.way == "forecast":
            mean, raw = np.split(said, 2, axis=1)
            with np.errstate(invalid="ignore"):
                deviation = np.logaddexp(raw + ONE, 0) + LEAST_DEVIATION  # softplus
            return np.asarray(np.square((steps64 - mean) / deviation))
        found: Array = np.square(said.reshape(steps64.shape) - steps64).mean(axis=1)
        return found

    def loss(self, features: Ragged, last: Tensor, targets: Ragged) -> tuple[Tensor, float]:
        """The likelihood of each step after the first of its row; autoencoder: half the squared error, of each step."""
        nats = self.nats(*self.paired(features, targets.values[:, :-1]))
        if self.settings.way == "forecast":
            nats = nats.index_fill(0, _begins(features), 0.0)
        return nats.sum(), len(nats) - (self.settings.way == "forecast") * len(_begins(features))

    def watched(self, squares: Array, steps: Tensor) -> Array:
        """All that is watched of a step, [N, 2]: the network's error, and the distance from the running mean.

        squares: [N, C], NaN where there is no error. steps: as encoded, [N, C]. A network follows a new level at once,
        and its error is small again.
        """
        far = np.square(np.sinh(np.clip(steps.detach().double().cpu().numpy(), -FAR, FAR)))
        found: Array = np.sqrt(np.stack([squares.mean(axis=1), far.mean(axis=1)], axis=1))
        found[np.isnan(found[:, 0])] = np.nan
        return found

    def errors(self, features: Ragged, steps: Tensor) -> Array:
        """``squares`` of whole rows, [N, C]; NaN at a first step, which nothing forecast. steps: as encoded, [N, C]."""
        squares = self.squares(*self.paired(features, steps))
        if self.settings.way == "forecast":
            squares[_begins(features).cpu().numpy()] = np.nan
        return squares

    def scores(self, squares: Array, steps: Tensor, offsets: Tensor) -> Array:
        """Each step's score in [0, 1), and once more where it is fresh, else 0: [N, 2]."""
        encoded = steps.double().cpu().numpy()
        return unusual(self.watched(squares, steps), encoded, offsets.cpu().numpy(), self.settings.habits)

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """What the network says after each row, held against nothing yet; ``judge`` holds it against the row."""
        return [{"outputs": row} for row in self.outputs(last).tolist()]

    def judge(self, inputs: Ragged, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """Each step's score, the threshold, and the steps with an alarm, counted from 0.

        Where there are several channels, also each step's ``channel``: the one that was farthest from what the network
        said, counted from 0.
        """
        steps, threshold = self._own(inputs).values, self.settings.threshold
        squares, ends = self.errors(features, steps), inputs.offsets[1:-1].cpu().numpy()
        results = [
            {
                "score": own[:, 0].tolist(),
                "threshold": threshold,
                "alarms": (own[:, 1] >= threshold).nonzero()[0].tolist(),
            }
            for own in np.split(self.scores(squares, steps, inputs.offsets), ends)
        ]
        if self.channels > 1:
            for result, own in zip(results, np.split(farthest(squares), ends), strict=True):
                result["channel"] = own.tolist()
        return results

    def meter(self) -> Meter:
        return _AnomalyMeter(self)


class _AnomalyMeter(Meter):
    def __init__(self, head: Anomaly):
        self.head = head
        self.nats, self.counted = 0.0, 0
        self.rows: list[int] = []
        self.errors: list[Array] = []
        self.steps: list[Array] = []
        self._scores: list[Array] = []  # of as many rows as were counted when they were last asked for
        self.marks: list[NDArray[np.int64]] = []

    def update(self, features: Ragged, last: Tensor, targets: Ragged, rows: Tensor | None) -> None:
        steps = targets.values[:, :-1]
        with torch.no_grad():
            total, counted = self.head.loss(features, last, targets)
            errors = self.head.watched(self.head.errors(features, steps), steps)
        self.nats, self.counted = self.nats + float(total), self.counted + int(counted)
        ends = targets.offsets[1:-1].cpu().numpy()
        self.rows += range(len(targets)) if rows is None else rows.tolist()
        self.errors += np.split(errors, ends)
        self.steps += np.split(steps.double().cpu().numpy(), ends)
        self.marks += np.split(targets.values[:, -1].cpu().numpy().astype(np.int64), ends)

    def metrics(self) -> dict[str, float]:
        """nats: of each step. alarms: for each 1,000 steps, after the probation. With windows, NAB's scores too."""
        found = {"nats": self.nats / max(self.counted, 1), **self._alarms(self._fresh)}
        return {**found, **self._nab(self._fresh)}

    @property
    def scores(self) -> list[Array]:
        """Of each row, [T, 2]; all rows at once, as a step costs nearly the same for one and for many."""
        if len(self._scores) < len(self.errors):
            offsets = np.array([0, *map(len, self.errors)]).cumsum()
            errors, steps = np.concatenate(self.errors), np.concatenate(self.steps)
            together = unusual(errors, steps, offsets, self.head.settings.habits)
            self._scores = np.split(together, offsets[1:-1])
        return self._scores

    @property
    def _fresh(self) -> list[Array]:
        return [own[:, 1] for own in self.scores]

    def _alarms(self, scores: list[Array]) -> dict[str, float]:
        after = np.concatenate([np.zeros(0), *(own[probation(len(own)) :] for own in scores)])
        return {"alarms": 1000 * float((after >= self.head.settings.threshold).mean()) if len(after) else 0.0}

    def _nab(self, scores: list[Array]) -> dict[str, float]:
        windows = [_edges(marks) for marks in self.marks]
        if not any(last >= probation(len(own)) for own, w in zip(scores, windows, strict=True) for _, last in w):
            return {}
        best = {profile: nab_score(scores, windows, profile) for profile in PROFILES}
        # What NAB asks for, a threshold that the labels chose, and beside it what the wanted rate gives without them.
        own = nab_score(scores, windows, "standard", self.head.settings.threshold)
        figures = {f"nab_{profile}": result.score for profile, result in best.items()}
        return {**figures, "nab_own_threshold": own.score, "found": own.found / own.windows}

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """NAB's windowed Gaussian, where the series have one channel and there are windows."""
        if self.head.channels > 1:
            return {}
        series = [np.asarray(frame["series"].iloc[row], np.float64).reshape(-1) for row in self.rows]
        figures = self._nab([windowed_gaussian(own) for own in series])
        own = ("nab_own_threshold", "found")  # which mean nothing for scores on another scale
        return {"windowed Gaussian": {k: v for k, v in figures.items() if k not in own}} if figures else {}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """The series with the highest score after its probation, and its scores, windows and alarms."""
        peaks = [own[probation(len(own)) :].max(initial=0.0) for own in self._fresh]
        if not any(peaks):
            return {}
        at = int(np.argmax(peaks))
        (scores, fresh), threshold = self.scores[at].T, self.head.settings.threshold
        values = np.asarray(frame["series"].iloc[self.rows[at]], np.float64).reshape(len(scores), -1)[:, 0]
        return {
            "timeline": {
                "values": [float(f"{x:.6g}") for x in values],
                "scores": [round(x, 3) for x in scores.tolist()],
                "windows": _edges(self.marks[at]),
                "alarms": (fresh >= threshold).nonzero()[0].tolist(),
                "threshold": threshold,
                "probation": probation(len(scores)),
            }
        }


def farthest(squares: Array) -> NDArray[np.int64]:
    """The channel with the largest error, [N], from 0; 0 where there is none. squares: [N, C]."""
    found: NDArray[np.int64] = np.nan_to_num(squares).argmax(axis=1)
    return found


def _begins(features: Ragged) -> Tensor:
    """Where rows begin that have steps."""
    return features.offsets[:-1][features.lengths > 0]


def _edges(marks: NDArray[np.int64]) -> list[tuple[int, int]]:
    """First and last step of each window. marks: each step's window, 0 outside."""
    return [
        (int(at[0]), int(at[-1]))
        for i in range(1, int(marks.max(initial=0)) + 1)
        if len(at := (marks == i).nonzero()[0])
    ]


def _windows(text: str, steps: int, where: str) -> list[tuple[int, int]]:
    """``3201-3400 3805-4004`` as steps. Raises DataError for anything else, or windows that are not in the series."""
    try:
        found = [tuple(map(int, part.split("-"))) for part in text.split()]
        if any(len(pair) != 2 for pair in found):
            raise ValueError
    except ValueError:
        raise DataError(
            f"{where}, column windows: expected first and last step of each window, such as '120-139 300-319', "
            f"got {text!r}"
        ) from None
    edges = [edge for pair in found for edge in pair]
    if edges != sorted(edges) or (edges and not 0 <= edges[0] <= edges[-1] < steps):
        raise DataError(f"{where}, column windows: expected steps from 0 to {steps - 1} in order, got {text!r}")
    return found  # type: ignore[return-value]
