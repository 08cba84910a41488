"""What a detector learns from: both ways have a loss whose gradient is a number, and which goes down."""

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


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("way", ["forecast", "autoencoder"])
def test_both_ways_learn(way: str, channels: int) -> None:
    torch.manual_seed(0)
    draw = np.random.default_rng(0)
    waves = [np.sin(np.arange(60) / 3 + i)[:, None] + 0.1 * draw.normal(size=(60, channels)) for i in range(6)]
    frame = pd.DataFrame({"series": [*waves, waves[0][:5]]})  # one is shorter than what is rebuilt
    config = override(defaults(TASKS.get("anomaly")), {"trunk.hidden": 8, "head.way": way, "head.window": 8})
    net = Model(config.model, Signal(config.modality, channels), Anomaly.learn(config.head, frame)).train()
    (batch,) = net.batches(frame, "x", tokens=10_000, truncation=0, shuffle=False).epoch(0, 0)
    optimizer, losses = torch.optim.AdamW(net.parameters(), 0.02), []
    for _ in range(30):
        total, count, _ = net(batch.inputs, batch.targets, None)
        optimizer.zero_grad()
        (total / count).backward()
        assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
        optimizer.step()
        losses.append(float(total.detach() / count))
    assert losses[-1] < losses[0] - 0.1
