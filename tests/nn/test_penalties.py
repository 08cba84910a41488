"""What a loss may add: small outputs, slow outputs; and dropout of whole vocabulary entries."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.nn import activation_penalty, embedding_dropout, slowness_penalty
from recurra.sequences import Ragged


@given(st.lists(st.integers(0, 6), min_size=1, max_size=6))
def test_penalties_are_means_over_what_is_there(lengths):
    sequences = [torch.randn(n, 3, dtype=torch.float64) for n in lengths]
    y = Ragged.from_list(sequences)
    changes = torch.cat([s.diff(dim=0) for s in sequences])
    expected = changes.square().mean() if changes.numel() else torch.tensor(0.0, dtype=torch.float64)
    torch.testing.assert_close(slowness_penalty(y), expected)
    if sum(lengths):
        torch.testing.assert_close(activation_penalty(y), y.values.square().mean())


def test_slowness_lets_gradients_through_and_ends_with_a_sequence():
    values = torch.tensor([[0.0], [2.0], [50.0]], requires_grad=True)
    slowness_penalty(Ragged(values, torch.tensor([0, 2, 3]))).backward()
    assert values.grad.flatten().tolist() == [-4.0, 4.0, 0.0]


def test_embedding_dropout_drops_a_token_everywhere_or_nowhere_and_keeps_the_mean():
    torch.manual_seed(0)
    ids = torch.randint(0, 50, (4000,))
    vectors = torch.ones(4000, 2)
    dropped = embedding_dropout(vectors, ids, 50, 0.4)
    for token in range(50):
        assert len(dropped[ids == token].unique()) == 1
    share = torch.stack([embedding_dropout(vectors, ids, 50, 0.4).mean() for _ in range(200)]).mean()
    assert abs(share.item() - 1) < 0.03
