"""Optimisers, and the averaged weights of NT-ASGD."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from recurra.training.config import TrainingConfig


def build(model: nn.Module, config: TrainingConfig) -> torch.optim.Optimizer:
    """The optimiser of the settings. Weight decay spares vectors (biases, gains): only matrices are shrunk."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.rate, betas=(0.9, config.beta2), fused=True)
    return torch.optim.SGD(groups, lr=config.rate, momentum=config.momentum)


class Average:
    """The mean of the weights since a trigger (Polyak & Juditsky 1992; the trigger: Merity et al. 2018).

    Merity's non-monotone trigger (https://arxiv.org/abs/1708.02182): averaging begins when a validation is
    worse than the best of those at least ``nonmonotone`` validations ago.
    """

    def __init__(self) -> None:
        self.count = 0
        self.mean: list[Tensor] = []

    def triggered(self, losses: list[float], nonmonotone: int) -> bool:
        """losses: every validation's loss so far, the newest last."""
        earlier = losses[:-1][: -nonmonotone or None] if len(losses) > nonmonotone else []
        return bool(earlier) and losses[-1] > min(earlier)

    def start(self, model: nn.Module) -> None:
        self.mean, self.count = [p.detach().clone() for p in model.parameters()], 1

    @torch.no_grad()
    def update(self, model: nn.Module) -> None:
        """Adds the present weights to the mean; nothing before the trigger."""
        if self.count:
            self.count += 1
            for mean, p in zip(self.mean, model.parameters(), strict=True):
                mean.lerp_(p, 1 / self.count)

    @contextmanager
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with the mean in place of its weights; nothing changes before the trigger."""
        if not self.count:
            yield
            return
        self._swap(model)
        try:
            yield
        finally:
            self._swap(model)

    @torch.no_grad()
    def _swap(self, model: nn.Module) -> None:
        for mean, p in zip(self.mean, model.parameters(), strict=True):
            kept = p.clone()
            p.copy_(mean)
            mean.copy_(kept)

    def state_dict(self) -> dict[str, object]:
        return {"count": self.count, "mean": self.mean}

    def load_state_dict(self, state: dict[str, object]) -> None:
        self.count, self.mean = state["count"], state["mean"]  # type: ignore[assignment]
