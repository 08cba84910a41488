"""One label for a whole sequence."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from recurra.arrays import readable
from recurra.config import setting
from recurra.datasets.columns import column_of
from recurra.errors import DataError, InputError
from recurra.heads._telling import best_and_worst
from recurra.heads.base import Contributions, Head, Meter, Objective
from recurra.modalities import Modality
from recurra.nn.pooling import Pool, Pooling
from recurra.sequences import Ragged

if TYPE_CHECKING:
    import pandas as pd

MOST_WRONG = 20


@dataclass(frozen=True)
class CategoryConfig:
    """Settings of the head ``category``."""

    pool: Pool = setting("max", "how steps become one vector")
    dropout: float = setting(0.5, "share of the pooled vector dropped in training")
    class_weights: Literal["none", "balanced"] = setting("none", "balanced: rare labels weigh more in the loss")
    label_smoothing: float = setting(0.0, "share of each target spread over all labels (Szegedy 2016)")

    def __post_init__(self) -> None:
        for name in ("dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"head.{name}: expected 0 up to but not 1, got {getattr(self, name)}")


class Category(Head):
    """Chooses one of K labels: pooling over the steps, dropout, a linear layer, softmax cross-entropy."""

    config = CategoryConfig
    roles = ("label",)
    objective = Objective("accuracy", maximise=True, tie="nats")

    def __init__(
        self, config: CategoryConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        self.labels: list[str] = known["labels"]
        self.smoothing = config.label_smoothing
        self.pool = Pooling(width, config.pool)
        self.dropout = nn.Dropout(config.dropout)
        self.output = nn.Linear(width, len(self.labels))
        # Known again from the labels' counts, so not among the saved weights.
        self.register_buffer("weights", torch.tensor(known["weights"]), persistent=False)

    @classmethod
    def learn(cls, config: CategoryConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        counts = frame["label"].value_counts().sort_index()
        if len(counts) < 2:
            raise DataError(
                f"column label: only one value, {counts.index[0]!r}, in {len(frame)} training rows; "
                "a classifier needs two labels or more"
            )
        weights = len(frame) / (len(counts) * counts) if config.class_weights == "balanced" else counts * 0.0 + 1.0
        return {"labels": list(counts.index), "weights": [float(w) for w in weights]}

    def targets(self, frame: "pd.DataFrame", where: str) -> Tensor:
        ids = frame["label"].map({label: i for i, label in enumerate(self.labels)})
        if ids.isna().any():
            row = int(ids.isna().to_numpy().argmax())
            place = f"{where}, row {ids.index[row]}, column {column_of(frame, 'label')}"
            known = ", ".join(self.labels[:20])
            raise DataError(f"{place}: {frame['label'].iloc[row]!r} never occurs in training; known are {known}")
        return torch.tensor(ids.to_numpy(dtype="int64"))

    def logits(self, features: Ragged, last: Tensor) -> Tensor:
        """features: [N, F]. last: [B, F], pooled. Returns [B, K]."""
        return self.output(self.dropout(last))  # type: ignore[no-any-return]

    def loss(self, features: Ragged, last: Tensor, targets: Tensor) -> tuple[Tensor, Tensor | float]:
        weights = self.get_buffer("weights")
        total = functional.cross_entropy(
            self.logits(features, last), targets, weight=weights, reduction="sum", label_smoothing=self.smoothing
        )
        return total, weights[targets].sum()

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """Label, its probability, and every label's probability."""
        rows = self.logits(features, last).softmax(-1).tolist()
        return [
            {
                "label": self.labels[max(range(len(row)), key=row.__getitem__)],
                "probability": max(row),
                "probabilities": dict(zip(self.labels, row, strict=True)),
            }
            for row in rows
        ]

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, with what each step adds to the log-odds of the label, in nats."""
        chosen = self.logits(features, last).argmax(-1, keepdim=True)

        def log_odds(features: Ragged, last: Tensor, rows: Tensor) -> Tensor:
            logits, own = self.logits(features, last), chosen[rows]
            return logits.gather(1, own)[:, 0] - logits.scatter(1, own, -torch.inf).logsumexp(-1)

        return [one | added for one, added in zip(self.decode(features, last), contributions(log_odds), strict=True)]

    def meter(self) -> Meter:
        return _CategoryMeter(self)


class _CategoryMeter(Meter):
    def __init__(self, head: Category):
        self.head = head
        self.logits: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.rows: list[Tensor] = []
        self.steps: list[Tensor] = []

    def update(self, features: Ragged, last: Tensor, targets: Tensor, rows: Tensor | None) -> None:
        with torch.no_grad():
            self.logits.append(self.head.logits(features, last).float().cpu())
        self.targets.append(targets.cpu())
        self.rows.append(torch.arange(len(targets)) if rows is None else rows.cpu())
        self.steps.append(features.lengths.cpu())

    def _all(self) -> tuple[Tensor, Tensor]:
        return torch.cat(self.logits), torch.cat(self.targets)

    def metrics(self) -> dict[str, float]:
        logits, targets = self._all()
        return {**self._hits(logits.argmax(-1), targets), "nats": functional.cross_entropy(logits, targets).item()}

    def _hits(self, predicted: Tensor, targets: Tensor) -> dict[str, float]:
        from torchmetrics.functional.classification import multiclass_f1_score

        return {
            "accuracy": (predicted == targets).double().mean().item(),
            "macro_f1": multiclass_f1_score(predicted, targets, len(self.head.labels), average="macro").item(),
        }

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """What the modality's rival answers."""
        rival, role = self.head.modality.rival, self.head.modality.role
        if not rival or trained is None:
            return {}
        found = rival.classify(list(trained[role]), self.head.targets(trained, "").numpy(), list(frame[role]))
        if found is None:
            return {}
        return {rival.classifier: self._hits(torch.from_numpy(found), self.head.targets(frame, ""))}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        from torchmetrics.functional.classification import multiclass_confusion_matrix

        logits, targets = self._all()
        labels, rows = self.head.labels, torch.cat(self.rows)
        probability, predicted = logits.softmax(-1).max(-1)
        wrong = (predicted != targets).nonzero().squeeze(-1)
        worst = wrong[probability[wrong].argsort(descending=True)][:MOST_WRONG]
        text = frame[next(c for c in frame.columns if c != "label")]
        return {
            "labels": labels,
            "confusion": multiclass_confusion_matrix(logits, targets, len(labels)).tolist(),
            "most_wrong": [
                {
                    "text": readable(text.iloc[int(rows[i])]),
                    "label": labels[int(targets[i])],
                    "predicted": labels[int(predicted[i])],
                    "probability": float(probability[i]),
                }
                for i in worst.tolist()
            ],
        }

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """Rows whose label is right, and the wrong ones it was surest of."""
        logits, targets = self._all()
        probability, predicted = logits.softmax(-1).max(-1)
        errors = torch.where(predicted == targets, 0.0, probability)
        rows = best_and_worst(torch.cat(self.rows), errors, torch.cat(self.steps))
        return {row: frame["label"].iloc[row] for row in rows}
