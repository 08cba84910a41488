"""What the loop counts and tells while it runs."""

from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor


class Log(Protocol):
    """Where a training's events go."""

    def write(self, event: str, values: dict[str, Any]) -> None:
        """Keeps one event."""

    def tick(self, values: dict[str, Any]) -> None:
        """Shows where the training is; called after every step, so it must cost little."""

    def position(self) -> int:
        """How much is kept so far, for ``rewind``."""

    def rewind(self, position: int) -> None:
        """Forgets what was kept after ``position``."""


@dataclass
class Progress:
    """Counters of a whole training; part of every checkpoint."""

    epoch: int = 0
    batch: int = 0
    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    factor: float = 1.0  # what plateaus have left of the rate
    clipped: int = 0
    stale: int = 0  # validations since the best one
    best_step: int = 0
    validated: int = -1  # the step of the last validation
    best: dict[str, float] | None = None
    losses: list[float] = field(default_factory=list)


@dataclass
class Window:
    """Sums over the steps of one log line. Tensors stay on their device: reading one each step would stall a GPU."""

    loss: Tensor | float = 0.0
    count: Tensor | float = 0.0
    norm: Tensor | float = 0.0
    norm_max: Tensor | float = 0.0
    clipped: Tensor | float = 0.0
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add_loss(self, total: Tensor, count: Tensor | float, tokens: int) -> None:
        """One batch: summed loss in nats, what to divide it by, steps read."""
        self.loss, self.count, self.tokens = self.loss + total.detach(), self.count + count, self.tokens + tokens

    def add_step(self, norm: Tensor, clipped: Tensor | bool, seconds: float) -> None:
        """One step of the optimiser. norm: the gradient's, before clipping."""
        self.norm, self.clipped = self.norm + norm, self.clipped + clipped
        self.norm_max = torch.maximum(torch.as_tensor(self.norm_max, device=norm.device), norm)
        self.steps, self.seconds = self.steps + 1, self.seconds + seconds

    def line(self) -> dict[str, float]:
        """The window as one log line: means over its steps. Losses in nats a target."""
        return {
            "loss": float(self.loss / self.count),
            "grad_norm": float(self.norm / self.steps),
            "grad_norm_max": float(self.norm_max),
            "clipped": float(self.clipped / self.steps),
            "tokens_per_second": self.tokens / max(self.seconds, 1e-9),
        }
