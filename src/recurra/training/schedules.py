"""The learning rate over a training, as a share of its highest value."""

import math

from recurra.training.config import TrainingConfig

# One-cycle (Smith & Topin 2018, https://arxiv.org/abs/1708.07120): the share of the training spent rising.
ONE_CYCLE_RISE = 0.3


def rate_factor(config: TrainingConfig, progress: float) -> float:
    """progress: share of the training done, 0..1, in epochs or in time. Returns 0..1.

    Cosine: Loshchilov & Hutter 2017, https://arxiv.org/abs/1608.03983. ``plateau`` and ``constant`` only warm up
    here; what a plateau takes away is counted by the loop.

    >>> round(rate_factor(TrainingConfig(warmup=0.0, final_rate=0.0), 0.5), 3)
    0.5
    """
    rise = ONE_CYCLE_RISE if config.schedule == "one-cycle" else config.warmup
    if progress < rise:
        up = progress / rise
        # One-cycle rises along a cosine from 1/25 of the rate; a warm-up rises in a straight line.
        return _cosine(1 / 25, 1.0, up) if config.schedule == "one-cycle" else up
    if config.schedule in ("plateau", "constant"):
        return 1.0
    return _cosine(1.0, config.final_rate, min(1.0, (progress - rise) / (1 - rise)) if rise < 1 else 1.0)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2
