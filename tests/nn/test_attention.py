"""Attention, against each sequence alone and by hand."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.nn import attention as module
from recurra.nn.attention import Attention
from recurra.sequences import Ragged

Q, F = 3, 5
SCORES = ("multiplicative", "additive")

lengths = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 9)), min_size=1, max_size=6)


def batch(sizes: list[int], width: int) -> Ragged:
    return Ragged.from_list([torch.randn(n, width, dtype=torch.float64) for n in sizes])


def by_hand(attention: Attention, queries: torch.Tensor, memory: torch.Tensor) -> torch.Tensor:
    rows = []
    for query in queries:
        if attention.score == "multiplicative":
            scores = torch.stack([query @ attention.key.weight @ step for step in memory])
        else:
            added = [attention.query(query) + attention.key.weight @ step for step in memory]
            scores = torch.stack([attention.weigh.weight[0] @ one.tanh() for one in added])
        rows.append(scores.softmax(0) @ memory)
    return torch.stack(rows)


@pytest.mark.parametrize("score", SCORES)
@given(sizes=lengths)
def test_every_sequence_is_as_by_hand(close, score, sizes):
    attention = Attention(Q, F, score).double()
    queries, memory = batch([t for t, _ in sizes], Q), batch([m for _, m in sizes], F)
    found = attention(queries, attention.read(memory)).unbind()
    for mean, query, steps in zip(found, queries.unbind(), memory.unbind(), strict=True):
        if len(steps) == 0:
            assert not mean.any()
        elif len(query):
            close(mean, by_hand(attention, query, steps))


@pytest.mark.parametrize("score", SCORES)
@given(sizes=lengths)
def test_weights_are_what_the_means_are_made_with(close, score, sizes):
    attention = Attention(Q, F, score).double()
    queries, memory = batch([t for t, _ in sizes], Q), batch([m for _, m in sizes], F)
    read = attention.read(memory)
    weights = attention.weights(queries, read)
    assert [list(w.shape) for w in weights] == [[t, m] for t, m in sizes]
    for mean, weight, steps in zip(attention(queries, read).unbind(), weights, memory.unbind(), strict=True):
        close(mean, weight @ steps)


@pytest.mark.parametrize("score", SCORES)
def test_gradients_meet_central_differences(score, monkeypatch):
    monkeypatch.setattr(module, "LEAST_PAIRS", 1)  # several groups
    attention = Attention(Q, F, score).double()
    queries, memory = batch([4, 1, 0, 2], Q), batch([3, 8, 2, 0], F)

    def means(q, m, *_):
        return attention(queries.with_values(q), attention.read(memory.with_values(m))).values

    values = [t.requires_grad_() for t in (queries.values, memory.values)]
    assert torch.autograd.gradcheck(means, (*values, *attention.parameters()))


def test_a_long_sequence_costs_the_short_ones_nothing(monkeypatch, close):
    attention = Attention(Q, F).double()
    sizes = [(40, 900), *[(3, 4)] * 200]
    queries, memory = batch([t for t, _ in sizes], Q), batch([m for _, m in sizes], F)
    padded: list[int] = []
    whole = attention._shares

    def shares(some, part):
        found = whole(some, part)
        padded.append(found.numel())
        return found

    monkeypatch.setattr(attention, "_shares", shares)
    found = attention(queries, attention.read(memory))
    assert len(padded) > 1
    assert sum(padded) <= module.MOST_PADDING * sum(t * m for t, m in sizes)
    close(found[5], by_hand(attention, queries[5], memory[5]))


def test_no_sequences_at_all():
    attention = Attention(Q, F).double()
    none = Ragged(torch.zeros(0, F, dtype=torch.float64), torch.zeros(1, dtype=torch.int64))
    found = attention(none.with_values(torch.zeros(0, Q, dtype=torch.float64)), attention.read(none))
    assert found.values.shape == (0, F)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UnknownNameError, match="score"):
        Attention(Q, F, "cosine")
    with pytest.raises(InputError, match="units"):
        Attention(Q, F, units=4)
    attention = Attention(Q, F).double()
    with pytest.raises(ShapeError, match="memory"):
        attention.read(batch([2], Q))
    with pytest.raises(ShapeError, match="queries"):
        attention(batch([2], F), attention.read(batch([2], F)))
    with pytest.raises(ShapeError, match="queries: expected 2 sequences"):
        attention(batch([2], Q), attention.read(batch([2, 3], F)))
