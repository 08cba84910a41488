"""One number for a whole sequence, with an interval where it is asked for."""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.arrays import readable
from recurra.config import setting
from recurra.errors import DataError, InputError
from recurra.heads._telling import best_and_worst
from recurra.heads.base import Contributions, Head, Meter, Objective
from recurra.modalities import Modality
from recurra.nn.pooling import Pool, Pooling
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd

MOST_WRONG = 20
# The deviation that softplus gives for this is 1, that of the standardised targets.
ONE = math.log(math.e - 1)
LEAST_DEVIATION = 1e-4


@dataclass(frozen=True)
class NumberConfig:
    """Settings of the head ``number``."""

    pool: Pool = setting("last", "how steps become one vector")
    dropout: float = setting(0.0, "share of the pooled vector dropped in training")
    error: Literal["squared", "gaussian"] = setting(
        "squared", "squared: the mean squared error; gaussian: each prediction has its own deviation and an interval"
    )
    level: float = setting(0.9, "gaussian: share of the true numbers that are to lie inside the interval")

    def __post_init__(self) -> None:
        if not 0 <= self.dropout < 1:
            raise InputError(f"head.dropout: expected 0 up to but not 1, got {self.dropout}")
        if not 0 < self.level < 1:
            raise InputError(f"head.level: expected a share between 0 and 1, got {self.level}")


class Number(Head):
    """Predicts a number: pooling over the steps, dropout, a linear layer.

    It learns the numbers standardised, by mean and deviation over the training rows, and gives them as they were. With
    ``error`` gaussian it also learns each number's deviation (Nix & Weigend 1994,
    https://doi.org/10.1109/ICNN.1994.374138).
    """

    config = NumberConfig
    roles = ("number",)
    objective = Objective("rmse", maximise=False)

    def __init__(
        self, config: NumberConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.mean, self.deviation = float(known["mean"]), float(known["deviation"])
        self.gaussian = config.error == "gaussian"
        self.reach = NormalDist().inv_cdf((1 + config.level) / 2)  # deviations from the middle to the interval's end
        self.pool = Pooling(width, config.pool)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, 2 if self.gaussian else 1)

    @classmethod
    def learn(cls, config: NumberConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        numbers = frame["number"].astype(float)
        deviation = float(numbers.std(ddof=0))
        if not deviation > 0:
            raise DataError(
                f"column number: only one value, {numbers.iloc[0]:g}, in {len(frame)} training rows; "
                "there is nothing to predict"
            )
        return {"mean": float(numbers.mean()), "deviation": deviation}

    def targets(self, frame: "pd.DataFrame", where: str) -> Tensor:
        """[B], standardised."""
        numbers = (frame["number"].astype(float) - self.mean) / self.deviation
        return torch.tensor(numbers.to_numpy(), dtype=torch.float32)

    def predicted(self, features: Ragged, last: Tensor) -> tuple[Tensor, Tensor]:
        """last: [B, F], pooled. Returns mean and deviation [B] of the standardised number (squared: 1)."""
        out = self.output(self.dropout(last))
        mean = out[:, 0]
        return mean, functional.softplus(out[:, 1] + ONE) + LEAST_DEVIATION if self.gaussian else torch.ones_like(mean)

    def loss(self, features: Ragged, last: Tensor, targets: Tensor) -> tuple[Tensor, float]:
        """Half the squared error, in nats but for a constant; gaussian: with the deviation's own nats."""
        mean, deviation = self.predicted(features, last)
        return (((targets - mean) / deviation).square() / 2 + deviation.log()).sum(), len(targets)

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """The number; gaussian: also the ends of its interval."""
        mean, deviation = (x.double() * self.deviation for x in self.predicted(features, last))
        mean = mean + self.mean
        found = [{"number": number} for number in mean.tolist()]
        if self.gaussian:
            ends = zip((mean - self.reach * deviation).tolist(), (mean + self.reach * deviation).tolist(), strict=True)
            found = [{**row, "low": low, "high": high} for row, (low, high) in zip(found, ends, strict=True)]
        return found

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, with what each step adds to the number, in its own unit."""

        def number(features: Ragged, last: Tensor, rows: Tensor) -> Tensor:
            mean, _ = self.predicted(features, last)
            return mean.double() * self.deviation + self.mean

        return [one | added for one, added in zip(self.decode(features, last), contributions(number), strict=True)]

    def meter(self) -> Meter:
        return _NumberMeter(self)


class _NumberMeter(Meter):
    def __init__(self, head: Number):
        self.head = head
        self.parts: list[Tensor] = []  # [5, B] each: mean, deviation, target, all standardised; row, steps

    def update(self, features: Ragged, last: Tensor, targets: Tensor, rows: Tensor | None) -> None:
        with torch.no_grad():
            mean, deviation = self.head.predicted(features, last)
        rows = torch.arange(len(targets)) if rows is None else rows
        self.parts.append(torch.stack([x.cpu().double() for x in (mean, deviation, targets, rows, features.lengths)]))

    def metrics(self) -> dict[str, float]:
        mean, deviation, targets, _, _ = torch.cat(self.parts, dim=1)
        error = (mean - targets).abs()
        found = self._errors(mean, targets)
        if self.head.gaussian:
            nats = (error / deviation).square() / 2 + deviation.log() + math.log(math.tau) / 2
            found["nats"] = nats.mean().item() + math.log(self.head.deviation)
            found["coverage"] = (error <= self.head.reach * deviation).double().mean().item()
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
        """The rows with the largest errors."""
        mean, _, targets, rows, _ = torch.cat(self.parts, dim=1)
        inputs = frame[next(c for c in frame.columns if c != "number")]
        worst = (mean - targets).abs().argsort(descending=True)[:MOST_WRONG]
        numbers = [(x[worst] * self.head.deviation + self.head.mean).tolist() for x in (targets, mean)]
        return {
            "largest_errors": [
                {"text": readable(inputs.iloc[int(row)]), "number": number, "predicted": predicted}
                for row, number, predicted in zip(rows[worst].tolist(), *numbers, strict=True)
            ]
        }

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """The rows with the smallest errors and those with the largest."""
        mean, _, targets, rows, steps = torch.cat(self.parts, dim=1)
        found = best_and_worst(rows.long(), (mean - targets).abs(), steps)
        return {row: float(frame["number"].iloc[row]) for row in found}
