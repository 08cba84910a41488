"""The learning rate over a training."""

import pytest

from recurra.training import TrainingConfig
from recurra.training.schedules import ONE_CYCLE_RISE, rate_factor


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_rises_to_one_and_ends_at_the_final_rate(schedule):
    config = TrainingConfig(schedule=schedule, warmup=0.1, final_rate=0.05)
    top = 0.1 if schedule == "cosine" else ONE_CYCLE_RISE
    assert rate_factor(config, top) == pytest.approx(1.0)
    assert rate_factor(config, 1.0) == pytest.approx(0.05)
    down = [rate_factor(config, top + (1 - top) * i / 50) for i in range(51)]
    assert down == sorted(down, reverse=True)
    up = [rate_factor(config, top * i / 50) for i in range(51)]
    assert up == sorted(up)


def test_warmup_is_a_straight_line_from_zero():
    config = TrainingConfig(schedule="constant", warmup=0.2)
    assert [rate_factor(config, p) for p in (0.0, 0.05, 0.1, 0.2, 0.9)] == pytest.approx([0, 0.25, 0.5, 1, 1])


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_extreme_warmups(warmup):
    for progress in (0.0, 0.5, 1.0):
        assert 0 <= rate_factor(TrainingConfig(warmup=warmup), progress) <= 1
