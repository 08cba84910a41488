"""Every setting of the training loop, with its default."""

from dataclasses import dataclass
from typing import Literal

from recurra.config import setting
from recurra.errors import InputError


@dataclass(frozen=True)
class TrainingConfig:
    """Settings of the training loop. Rates and dropout are shares; ``0`` switches a limit off."""

    epochs: int = setting(10, "passes over the training data; 0: as many as the minutes allow")
    minutes: float = setting(0.0, "wall-clock budget; the schedule ends when the time does; 0: none")
    batch_tokens: int = setting(
        2048, "steps in a batch, over all its sequences; fewer where an epoch would have under 20 batches"
    )
    truncation: int = setting(64, "running text: steps between cuts of the gradient; 0: whole documents")
    truncation_spread: float = setting(
        0.0,
        "running text: standard deviation of a drawn number of steps between cuts, with which the rate goes; 0: fixed",
    )
    accumulate: int = setting(1, "batches whose gradients are added before a step")
    optimizer: Literal["adamw", "sgd", "asgd"] = setting("adamw", "asgd: SGD averaged after the non-monotone trigger")
    rate: float = setting(3e-3, "learning rate at its highest")
    momentum: float = setting(0.0, "momentum of SGD")
    beta2: float = setting(0.999, "AdamW's decay of squared gradients")
    weight_decay: float = setting(0.01, "L2 penalty (decoupled for adamw)")
    schedule: Literal["cosine", "one-cycle", "plateau", "constant"] = setting("cosine", "how the rate changes")
    warmup: float = setting(0.02, "share of the training over which the rate rises from zero")
    final_rate: float = setting(0.01, "cosine and one-cycle: the last rate as a share of the highest")
    plateau_factor: float = setting(0.5, "plateau: the rate's factor after a validation without improvement")
    nonmonotone: int = setting(5, "asgd: validations looked back on for the trigger (Merity 2018)")
    clip_norm: float = setting(1.0, "largest norm of the gradient; 0: not clipped")
    clip_value: float = setting(0.0, "largest absolute value of a gradient element; 0: not clipped")
    weights: Literal["best", "last"] = setting(
        "best",
        "which are kept. best: those of the best validation; last: those that the training ends with; rows that were "
        "cut off for validation are then trained on as well, where there are others to test with",
    )
    patience: int = setting(0, "validations without improvement before stopping early; 0: never")
    validate_steps: int = setting(0, "steps between validations; 0: after each epoch")
    log_steps: int = setting(20, "steps summed up in one line of metrics.jsonl")
    checkpoint_seconds: float = setting(30.0, "time between checkpoints")
    device: Literal["auto", "cpu", "cuda", "mps"] = setting("auto", "where to train")
    precision: Literal["auto", "32", "bf16-mixed", "16-mixed"] = setting("auto", "auto: bf16-mixed on CUDA, else 32")
    tensorboard: bool = setting(False, "also write a TensorBoard log")

    def __post_init__(self) -> None:
        for name in ("batch_tokens", "accumulate", "log_steps", "nonmonotone"):
            if getattr(self, name) < 1:
                raise InputError(f"training.{name}: expected at least 1, got {getattr(self, name)}")
        amounts = (
            "epochs",
            "minutes",
            "truncation",
            "truncation_spread",
            "weight_decay",
            "clip_norm",
            "clip_value",
            "patience",
        )
        for name in (*amounts, "validate_steps", "checkpoint_seconds"):
            if getattr(self, name) < 0:
                raise InputError(f"training.{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("warmup", "final_rate", "plateau_factor", "momentum", "beta2"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"training.{name}: expected a share from 0 to 1, got {getattr(self, name)}")
        if self.beta2 == 1 or self.momentum == 1:
            raise InputError("training.beta2, training.momentum: expected less than 1, got 1")
        validated = (("patience", self.patience), ("schedule", self.schedule == "plateau"))
        for name, needed in (*validated, ("optimizer", self.optimizer == "asgd")):
            if needed and self.weights == "last":
                raise InputError(
                    f"training.{name}: {getattr(self, name)} goes by validations, which training.weights=last does "
                    "without; set training.weights=best"
                )
        if not self.rate > 0:
            raise InputError(f"training.rate: expected more than 0, got {self.rate}")
        if not (self.epochs or self.minutes):
            raise InputError("training.epochs and training.minutes are both 0: the training would never end")
