"""Several steps as one: which, and that no sequence hears another."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.nn import stacked
from recurra.sequences import Ragged


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5), st.integers(1, 4))
def test_each_sequence_is_stacked_by_itself(lengths: list[int], count: int) -> None:
    rows = [torch.randn(n, 2) for n in lengths]
    found = stacked(Ragged.from_list(rows), count)
    assert found.lengths.tolist() == [-(-n // count) for n in lengths]
    for row, frames in zip(rows, found.unbind(), strict=True):
        steps = frames.reshape(-1, 2)
        assert torch.equal(steps[: len(row)], row)
        assert torch.equal(steps[len(row) :], row[-1:].expand(len(steps) - len(row), 2))


def test_gradients_reach_every_step() -> None:
    x = Ragged(torch.zeros(5, 1, requires_grad=True), torch.tensor([0, 3, 5]))
    stacked(x, 2).values.sum().backward()
    assert x.values.grad is not None
    assert x.values.grad[:, 0].tolist() == [1.0, 1.0, 2.0, 1.0, 1.0]
