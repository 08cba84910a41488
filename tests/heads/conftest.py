"""Shared by the tests of heads: a short training."""

from collections.abc import Callable

import pandas as pd
import pytest
import torch

from recurra.model import Model

Learning = Callable[[Model, pd.DataFrame, int], list[float]]


@pytest.fixture(scope="session")
def learning() -> Learning:
    """Trains on all rows as one batch for so many steps, with gradients that are numbers. Gives each step's loss."""

    def train(net: Model, frame: pd.DataFrame, steps: int) -> list[float]:
        (batch,) = net.batches(frame, "x", tokens=10_000, truncation=0, shuffle=False).epoch(0, 0)
        optimizer, losses = torch.optim.Adam(net.parameters(), 0.02), []
        for _ in range(steps):
            total, count, _ = net(batch.inputs, batch.targets, None)
            optimizer.zero_grad()
            (total / count).backward()
            assert all(p.grad is None or p.grad.isfinite().all() for p in net.parameters())
            optimizer.step()
            losses.append(float(total.detach() / count))
        return losses

    return train
