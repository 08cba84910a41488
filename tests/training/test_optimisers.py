"""Optimisers and averaged weights."""

import torch
from torch import nn

from recurra.training import TrainingConfig
from recurra.training.optimisers import Average, build


def test_weight_decay_shrinks_matrices_only():
    layer = nn.Linear(3, 2)
    nn.init.ones_(layer.bias)
    before = layer.weight.detach().clone()
    optimizer = build(layer, TrainingConfig(optimizer="adamw", rate=0.1, weight_decay=0.5))
    layer.weight.grad, layer.bias.grad = torch.zeros_like(layer.weight), torch.zeros_like(layer.bias)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), before * (1 - 0.1 * 0.5))
    torch.testing.assert_close(layer.bias.detach(), torch.ones(2))


def test_trigger_looks_back_past_the_last_validations():
    average = Average()
    assert not average.triggered([5.0, 4.0, 4.1], nonmonotone=5)
    assert not average.triggered([5.0, 4.9, 4.8, 4.7, 4.6, 4.5, 4.4], nonmonotone=5)
    # Worse than the best of those five and more validations ago.
    assert average.triggered([4.0, 4.5, 4.4, 4.3, 4.2, 4.1, 4.05], nonmonotone=5)


def test_average_is_the_mean_since_the_trigger_and_gives_the_weights_back():
    layer = nn.Linear(1, 1, bias=False)
    average = Average()
    with average.applied(layer):
        assert layer.weight.item() == layer.weight.item()  # before the trigger: nothing to apply
    nn.init.constant_(layer.weight, 1.0)
    average.start(layer)
    for value in (2.0, 6.0):
        nn.init.constant_(layer.weight, value)
        average.update(layer)
    with average.applied(layer):
        assert layer.weight.item() == 3.0
    assert layer.weight.item() == 6.0
