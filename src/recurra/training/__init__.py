"""Fitting a model to batches: the loop, optimisers and schedules, checkpoints."""

from recurra.training.config import TrainingConfig
from recurra.training.loop import Outcome, fit, make_fabric

__all__ = ["Outcome", "TrainingConfig", "fit", "make_fabric"]
