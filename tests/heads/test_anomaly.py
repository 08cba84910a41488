"""What a detector learns from: both ways have a loss whose gradient is a number, and which goes down."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch

from recurra.config import override
from recurra.heads.anomaly import Anomaly
from recurra.modalities.signal import Signal
from recurra.model import Model
from recurra.runs.config import defaults
from recurra.tasks import TASKS

Learning = Callable[[Model, pd.DataFrame, int], list[float]]


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("way", ["forecast", "autoencoder"])
def test_both_ways_learn(way: str, channels: int, learning: Learning) -> None:
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    waves = [np.sin(np.arange(60) / 3 + i)[:, None] + 0.1 * draw.normal(size=(60, channels)) for i in range(6)]
    frame = pd.DataFrame({"series": [*waves, waves[0][:5]]})  # one is shorter than what is rebuilt
    config = override(defaults(TASKS.get("anomaly")), {"trunk.hidden": 8, "head.way": way, "head.window": 8})
    net = Model(config.model, Signal(config.modality, channels), Anomaly.learn(config.head, frame)).train()
    losses = learning(net, frame, 30)
    assert losses[-1] < losses[0] - 0.1
