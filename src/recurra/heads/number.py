"""One number for a whole sequence, with an interval where it is asked for."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from recurra.arrays import readable
from recurra.config import setting
from recurra.errors import DataError, InputError
from recurra.heads._outputs import Categorical, Gaussian, Output, Point, Quantiles
from recurra.heads._telling import agreement, best_and_worst
from recurra.heads.base import Contributions, Head, Meter, Objective
from recurra.modalities import Modality
from recurra.nn.pooling import Pool, Pooling
from recurra.sequences import Ragged
from recurra.timeline import Numbers

if TYPE_CHECKING:
    import pandas as pd

MOST_WRONG = 20
MOST_CATEGORIES, FEW_CATEGORIES = 1000, 20
DIGITS = 10  # more than a float32 has; fewer than would show that 7 was standardised and back
ROUNDING = 1e-6  # of a standardised float32: a number on its interval's very end lies inside
ONE = np.ones(1)  # standardised numbers need no unit


@dataclass(frozen=True)
class NumberConfig:
    """Settings of the head ``number``."""

    pool: Pool = setting("last", "how steps become one vector")
    dropout: float = setting(0.0, "share of the pooled vector dropped in training")
    error: Literal["squared", "absolute", "quantile", "gaussian", "categorical", "auto"] = setting(
        "squared",
        "squared, absolute: the number's mean or its median; quantile: the median and the ends of an interval; "
        "gaussian: the mean, a deviation for each, and so an interval; categorical: a probability for each number that "
        "the training rows have, so also median and interval; auto: categorical where these are few, else quantile",
    )
    level: float = setting(0.9, "share of the true numbers that are to lie inside the interval")

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"head.dropout: expected 0 up to but not 1, got {self.dropout}")
        if not 0 < self.level < 1:
            raise InputError(f"head.level: expected a share between 0 and 1, got {self.level}")

    @property
    def levels(self) -> tuple[float, float, float]:
        """The interval's lower end, the middle, the upper end."""
        return (1 - self.level) / 2, 0.5, (1 + self.level) / 2


class Number(Head):
    """Predicts a number: pooling over the steps, dropout, a linear layer.

    It learns the numbers standardised, by mean and deviation over the training rows, and gives them as they were.
    """

    config = NumberConfig
    roles = ("number",)

    def __init__(
        self, config: NumberConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.mean, self.deviation = float(known["mean"]), float(known["deviation"])
        self.step, self.levels = self._output(config, known.get("numbers")), np.array(config.levels)
        self.interval = not isinstance(self.step, Point)
        self.objective = Objective("rmse" if config.error in ("squared", "gaussian") else "mae", maximise=False)
        self.pool = Pooling(width, config.pool)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, self.step.size)

    @classmethod
    def learn(cls, config: NumberConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        numbers = frame["number"].astype(float)
        deviation = float(numbers.std(ddof=0))
        if not deviation > 0:
            raise DataError(
                f"column number: only one value, {numbers.iloc[0]:g}, in {len(frame)} training rows; "
                "there is nothing to predict"
            )
        known = {"mean": float(numbers.mean()), "deviation": deviation}
        different = sorted(set(numbers))
        if config.error == "categorical" and len(different) > MOST_CATEGORIES:
            raise InputError(
                f"head.error=categorical: expected at most {MOST_CATEGORIES} different numbers in training, got "
                f"{len(different)}; use quantile"
            )
        few = config.error == "auto" and len(different) <= FEW_CATEGORIES
        return known | ({"numbers": different} if few or config.error == "categorical" else {})

    def _output(self, config: NumberConfig, numbers: list[float] | None) -> Output:
        """What the network says of a number. numbers: those of the training rows, where they are categories."""
        if numbers:
            return Categorical(tuple((number - self.mean) / self.deviation for number in numbers))
        kinds = {"squared": Point(squared=True), "absolute": Point(squared=False), "gaussian": Gaussian()}
        return kinds.get(config.error, Quantiles(config.levels))

    def targets(self, frame: "pd.DataFrame", where: str) -> Tensor:
        """[B], standardised."""
        numbers = (frame["number"].astype(float) - self.mean) / self.deviation
        return torch.tensor(numbers.to_numpy(), dtype=torch.float32)

    def predicted(self, last: Tensor) -> Tensor:
        """last: [B, F], pooled. Returns [B, O], what is said of the standardised numbers."""
        return self.output(self.dropout(last))  # type: ignore[no-any-return]

    def loss(self, features: Ragged, last: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        """Half the squared error, the absolute one, the pinball loss, or nats, of densities but for a constant."""
        return self.step.loss(self.predicted(last), targets, targets.new_ones(1)).sum(), len(targets)

    def ends(self, predicted: Tensor) -> Numbers:
        """Low end, middle and high end, [B, 3], standardised; one and the same number where no interval is learnt."""
        return self.step.quantiles(predicted, self.levels, ONE)

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """The number, and the ends of its interval where one is learnt."""
        places = self.ends(self.predicted(last)) * self.deviation + self.mean
        names = ("number", "low", "high") if self.interval else ("number",)
        rows = [[float(f"{place:.{DIGITS}g}") for place in row] for row in places[:, [1, 0, 2]].tolist()]
        return [dict(zip(names, row, strict=False)) for row in rows]

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, with what each step adds to the number, in its own unit."""

        def number(features: Ragged, last: Tensor, rows: Tensor) -> Tensor:
            return self.step.middle(self.predicted(last)).double() * self.deviation + self.mean

        return [one | added for one, added in zip(self.decode(features, last), contributions(number), strict=True)]

    def meter(self) -> Meter:
        return _NumberMeter(self)


class _NumberMeter(Meter):
    def __init__(self, head: Number):
        self.head = head
        # [7, B] each: low end, middle, high end and target, all standardised; loss; row; steps
        self.parts: list[Tensor] = []

    def update(self, features: Ragged, last: Tensor, targets: Tensor, rows: Tensor | None) -> None:
        with torch.no_grad():
            predicted = self.head.predicted(last)
            losses = self.head.step.loss(predicted, targets, targets.new_ones(1))
        places = torch.from_numpy(self.head.ends(predicted)).unbind(-1)
        rows = torch.arange(len(targets)) if rows is None else rows
        parts = (*places, targets, losses, rows, features.lengths)
        self.parts.append(torch.stack([x.cpu().double() for x in parts]))

    def metrics(self) -> dict[str, float]:
        low, middle, high, targets, losses, _, _ = torch.cat(self.parts, dim=1)
        found = self._errors(middle, targets)
        if isinstance(self.head.step, Categorical):
            found["nats"] = losses.mean().item()
        if isinstance(self.head.step, Gaussian):
            found["nats"] = losses.mean().item() + math.log(math.tau) / 2 + math.log(self.head.deviation)
        if self.head.interval:
            inside = (low <= targets + ROUNDING) & (targets <= high + ROUNDING)
            found["coverage"] = inside.double().mean().item()
        return found

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """The training rows' mean for every row, and what the modality's rival answers."""
        targets = self.head.targets(frame, "")
        found = {"the mean": self._errors(torch.zeros_like(targets), targets)}
        rival, role = self.head.modality.rival, self.head.modality.role
        if rival and trained is not None:
            numbers = rival.regress(list(trained[role]), self.head.targets(trained, "").numpy(), list(frame[role]))
            if numbers is not None:
                found[rival.regressor] = self._errors(torch.from_numpy(numbers), targets)
        return found

    def _errors(self, numbers: Tensor, targets: Tensor) -> dict[str, float]:
        """Of standardised numbers, in the unit of those that were given."""
        errors = (numbers - targets).double() * self.head.deviation
        mse = errors.square().mean().item()
        return {"mae": errors.abs().mean().item(), "rmse": math.sqrt(mse), "mse": mse}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """The numbers that are true beside those that were said, and the rows with the largest errors."""
        _, middle, _, targets, _, rows, _ = torch.cat(self.parts, dim=1)
        inputs = frame[next(c for c in frame.columns if c != "number")]
        worst = (middle - targets).abs().argsort(descending=True)[:MOST_WRONG]
        wanted, said = (x * self.head.deviation + self.head.mean for x in (targets, middle))
        numbers = wanted[worst].tolist(), said[worst].tolist()
        return {
            "agreement": agreement(wanted, said),
            "largest_errors": [
                {"text": readable(inputs.iloc[int(row)]), "number": number, "predicted": predicted}
                for row, number, predicted in zip(rows[worst].tolist(), *numbers, strict=True)
            ],
        }

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """The rows with the smallest errors and those with the largest."""
        _, middle, _, targets, _, rows, steps = torch.cat(self.parts, dim=1)
        found = best_and_worst(rows.long(), (middle - targets).abs(), steps)
        return {row: float(frame["number"].iloc[row]) for row in found}
