"""One vector for a whole sequence."""

from typing import get_args

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.nn.pooling import Pool, Pooling
from recurra.sequences import Ragged


def batch(lengths: list[int]) -> tuple[Ragged, torch.Tensor]:
    draw = torch.Generator().manual_seed(len(lengths))
    sequences = [torch.randn(n, 3, generator=draw, dtype=torch.float64) for n in lengths]
    last = torch.stack([s[-1] if len(s) else torch.zeros(3, dtype=torch.float64) for s in sequences])
    return Ragged.from_list(sequences), last


@pytest.mark.parametrize("how", get_args(Pool))
@given(lengths=st.lists(st.integers(0, 6), min_size=1, max_size=5))
def test_alone_equals_batched(how, lengths):
    pool = Pooling(3, how).double()
    features, last = batch(lengths)
    together = pool(features, last)
    for i in range(len(features)):
        alone = pool(features[[i]], last[[i]])
        torch.testing.assert_close(together[[i]], alone)


def test_mean_and_max_are_what_they_say():
    features, last = batch([4, 2])
    torch.testing.assert_close(Pooling(3, "mean")(features, last)[0], features[0].mean(0))
    torch.testing.assert_close(Pooling(3, "max")(features, last)[1], features[1].amax(0))


def test_the_middle_of_a_window_of_four_is_its_third_step():
    features, last = batch([4, 1, 3])
    found = Pooling(3, "middle")(features, last)
    torch.testing.assert_close(found, torch.stack([features[0][2], features[1][0], features[2][1]]))


def test_empty_sequences_give_zeros():
    features, last = batch([0, 2])
    for how in ("mean", "max", "attention", "middle"):
        assert Pooling(3, how).double()(features, last)[0].abs().sum() == 0


def test_attention_weights_sum_to_one_in_each_sequence():
    features, _ = batch([4, 1, 3])
    weights = features.with_values(Pooling(3, "attention").double().weights(features).detach())
    assert all(abs(float(w.sum()) - 1) < 1e-12 for w in weights)


@pytest.mark.parametrize("how", get_args(Pool))
def test_gradient_meets_central_differences(how):
    pool = Pooling(3, how).double()
    features, last = batch([3, 0, 2])

    def run(values: torch.Tensor, last: torch.Tensor) -> torch.Tensor:
        return pool(features.with_values(values), last)

    assert torch.autograd.gradcheck(run, (features.values.requires_grad_(), last.requires_grad_()))
