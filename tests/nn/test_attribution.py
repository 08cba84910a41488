"""Integrated gradients: exact where they can be, complete everywhere, and each sequence's alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from recurra import Ragged
from recurra.cells import CELLS
from recurra.nn import Bidirectional, Recurrent, Stack, attribution
from recurra.nn.attribution import integrated_gradients

lengths = st.lists(st.integers(0, 12), min_size=1, max_size=5)


def sequences(lengths: list[int], width: int = 4) -> Ragged:
    return Ragged.from_list([torch.randn(n, width, dtype=torch.float64) for n in lengths])


def network() -> Stack:
    lstm, gru = CELLS.get("lstm"), CELLS.get("gru")
    return Stack(
        [Bidirectional(Recurrent(lstm, 4, 5), Recurrent(lstm, 4, 5, reverse=True)), Recurrent(gru, 10, 1)]
    ).double()


def sums(x: Ragged) -> Tensor:
    """[B], of each sequence all its values."""
    return torch.zeros(len(x), dtype=x.values.dtype).index_add(0, x.layout.rows, x.values.sum(-1))


@given(lengths)
def test_of_a_linear_score_they_are_the_terms(lengths: list[int]) -> None:
    x = sequences(lengths)
    weights = torch.randn(4, dtype=torch.float64)
    baseline = torch.randn_like(x.values)
    found = integrated_gradients(lambda x, rows: sums(x.with_values(x.values * weights)), x, baseline, points=1)
    torch.testing.assert_close(found.contributions.values, ((x.values - baseline) * weights).sum(-1))
    torch.testing.assert_close(found.score - found.baseline, sums(x.with_values((x.values - baseline) * weights)))


@given(lengths)
def test_of_a_network_they_add_up_to_what_changes(lengths: list[int]) -> None:
    torch.manual_seed(0)
    net, x = network(), sequences(lengths)

    def score(x: Ragged, rows: Tensor) -> Tensor:
        return 10 * net.last(net(x)[1])[:, 0]

    found = integrated_gradients(score, x, torch.zeros_like(x.values), points=100)
    torch.testing.assert_close(
        sums(found.contributions.with_values(found.contributions.values[:, None])),
        found.score - found.baseline,
        atol=1e-3,
        rtol=0,
    )
    assert not found.score.requires_grad and all(p.grad is None for p in net.parameters())


def test_none_depends_on_the_batch_or_on_how_points_are_taken_together(monkeypatch: pytest.MonkeyPatch) -> None:
    net, x = network(), sequences([3, 0, 7])
    asked = torch.tensor([1.0, 2.0, -3.0], dtype=torch.float64)

    def scored(asked: Tensor, x: Ragged) -> Tensor:
        def score(x: Ragged, rows: Tensor) -> Tensor:
            return asked[rows] * net.last(net(x)[1])[:, 0]

        return integrated_gradients(score, x, torch.zeros_like(x.values)).contributions.values

    together = scored(asked, x)
    alone = torch.cat([scored(asked[i : i + 1], x[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(together, alone)
    monkeypatch.setattr(attribution, "STEPS", 1)
    torch.testing.assert_close(scored(asked, x), together)
