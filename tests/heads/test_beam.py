"""Beam search over writers whose every text can be counted."""

import itertools
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.heads._beam import Written, length_penalty, search
from recurra.sequences import State

END = 0


def writer(tables: torch.Tensor, calls: list[int] | None = None):
    """tables: [B, V, V], each sequence's log-probabilities of a token after another."""

    def step(tokens, state, owners):
        assert torch.equal(owners, owners.sort().values)
        assert torch.equal(state["owner"][:, 0].long(), owners)
        if calls is not None:
            calls.append(len(tokens))
        return tables[owners, tokens], state

    return step


def begin(count: int) -> State:
    return State({"owner": torch.arange(count, dtype=torch.float64)[:, None]})


def tables(seed: int, count: int, size: int) -> torch.Tensor:
    draw = torch.Generator().manual_seed(seed)
    return (2 * torch.randn(count, size, size, generator=draw, dtype=torch.float64)).log_softmax(-1)


def best(table: torch.Tensor, limit: int, alpha: float) -> Written:
    """By trying every text."""
    found = []
    for length in range(1, limit + 1):
        for tokens in itertools.product(range(1, table.shape[0]), repeat=length - 1):
            for last in range(table.shape[0]) if length == limit else [END]:
                text = [*tokens, last] if last != END else list(tokens)
                found.append(Written(text, score_of(text, table, limit, alpha)))
    return max(found, key=lambda one: one.score)


def score_of(text, table, limit, alpha):
    """Of a text that ends, unless it is as long as it may be."""
    path = [END, *text, END][: limit + 1]
    return sum(table[a, b].item() for a, b in itertools.pairwise(path)) / length_penalty(len(path) - 1, alpha)


@given(st.integers(0, 1000), st.integers(1, 4), st.sampled_from([0.0, 0.6, 1.0]))
def test_a_beam_as_wide_as_all_texts_finds_the_best(seed, limit, alpha):
    some = tables(seed, 3, 3)
    found = search(writer(some), begin(3), END, torch.full((3,), limit), beam=81, alpha=alpha)
    for table, one in zip(some, found, strict=True):
        expected = best(table, limit, alpha)
        assert one.score == pytest.approx(expected.score)
        # Of texts that are as likely but for rounding, either may be found.
        assert one.score == pytest.approx(score_of(one.tokens, table, limit, alpha))


@given(st.integers(0, 1000), st.integers(1, 5))
def test_alone_is_as_in_a_batch(seed, beam):
    some = tables(seed, 4, 5)
    limits = torch.tensor([1, 9, 3, 6])
    together = search(writer(some), begin(4), END, limits, beam=beam, alpha=1.0)
    for b, one in enumerate(together):
        (alone,) = search(writer(some[b : b + 1]), begin(1), END, limits[b : b + 1], beam=beam, alpha=1.0)
        assert alone.tokens == one.tokens
        assert alone.score == pytest.approx(one.score)


def test_a_beam_of_one_is_greedy():
    (table,) = tables(3, 1, 6)
    token, tokens, score = END, [], 0.0
    for _ in range(20):
        score += table[token].max().item()
        token = int(table[token].argmax())
        tokens.append(token)
        if token == END:
            break
    (found,) = search(writer(table[None]), begin(1), END, torch.tensor([20]), beam=1, alpha=0.0)
    assert found.tokens == [t for t in tokens if t != END]
    assert found.score == pytest.approx(score)


def test_a_writer_that_never_ends_is_stopped():
    table = torch.full((1, 3, 3), math.log(0.5), dtype=torch.float64)
    table[:, :, END] = -math.inf
    (found,) = search(writer(table), begin(1), END, torch.tensor([7]), beam=4, alpha=0.6)
    assert len(found.tokens) == 7


def test_nothing_is_computed_for_what_has_ended():
    some = torch.full((2, 3, 3), -50.0, dtype=torch.float64)
    some[0, :, END] = 0.0  # ends at once
    some[1, :, 1] = 0.0  # never does
    calls: list[int] = []
    search(writer(some, calls), begin(2), END, torch.tensor([10, 10]), beam=1, alpha=0.0)
    assert calls == [2, *[1] * 9]


def test_no_sequences():
    assert search(writer(tables(0, 1, 3)), begin(1).select([]), END, torch.zeros(0).long(), beam=2, alpha=0.0) == []


def test_longer_texts_are_punished_less():
    assert length_penalty(1, 0.9) == 1
    assert length_penalty(7, 0.5) == pytest.approx(math.sqrt(2))
