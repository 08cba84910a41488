"""The CRF against every sequence there is."""

import itertools
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from recurra import Ragged
from recurra.errors import InputError, ShapeError
from recurra.nn.crf import CRF

Close = Callable[[Tensor, Tensor], None]
TAGS = 3


def crf(forbidden: bool = False, dtype: torch.dtype = torch.float64) -> CRF:
    allowed = torch.ones(TAGS, TAGS, dtype=torch.bool)
    begin, end = torch.ones(TAGS, dtype=torch.bool), torch.ones(TAGS, dtype=torch.bool)
    if forbidden:
        allowed[0, 1] = allowed[2, 2] = begin[1] = end[0] = False
    net = CRF(TAGS, allowed=allowed, may_begin=begin, may_end=end).to(dtype)
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter)
    return net


def batch(lengths: list[int], dtype: torch.dtype = torch.float64) -> Ragged:
    return Ragged.from_list([2 * torch.randn(n, TAGS, dtype=dtype) for n in lengths])


def legal(net: CRF, tags: tuple[int, ...]) -> bool:
    begin, end, allowed = net.may_begin, net.may_end, net.allowed
    inner = all(allowed[a, b] for a, b in itertools.pairwise(tags))
    return not tags or bool(begin[tags[0]] and end[tags[-1]] and inner)


def score(net: CRF, scores: Tensor, tags: tuple[int, ...]) -> Tensor:
    """By the definition, step by step; minus infinity where not legal."""
    if not legal(net, tags):
        return torch.tensor(-torch.inf, dtype=scores.dtype)
    total = scores.sum() * 0
    for t, tag in enumerate(tags):
        total = total + scores[t, tag]
        if t:
            total = total + net.transitions[tags[t - 1], tag]
    return total + net.first[tags[0]] + net.last[tags[-1]] if tags else total


def every(length: int) -> list[tuple[int, ...]]:
    return list(itertools.product(range(TAGS), repeat=length))


def all_scores(net: CRF, scores: Tensor) -> Tensor:
    return torch.stack([score(net, scores, tags) for tags in every(len(scores))])


lengths = st.lists(st.integers(0, 4), min_size=1, max_size=4)


@settings(max_examples=15)
@given(lengths=lengths, forbidden=st.booleans())
def test_sums_over_all_sequences(lengths: list[int], forbidden: bool, close: Close) -> None:
    net, scores = crf(forbidden), batch(lengths)
    expected = torch.stack([all_scores(net, x).logsumexp(0) for x in scores.unbind()])
    close(net.log_partition(scores), expected)


@settings(max_examples=15)
@given(lengths=lengths, forbidden=st.booleans())
def test_the_best_sequence_is_the_best_of_all(lengths: list[int], forbidden: bool) -> None:
    net, scores = crf(forbidden), batch(lengths)
    for x, tags in zip(scores.unbind(), scores.with_values(net.best(scores)).unbind(), strict=True):
        assert tuple(tags.tolist()) == every(len(x))[int(all_scores(net, x).argmax())]


@settings(max_examples=15)
@given(lengths=lengths, forbidden=st.booleans())
def test_marginals_are_shares_of_all_sequences(lengths: list[int], forbidden: bool, close: Close) -> None:
    net, scores = crf(forbidden), batch(lengths)
    expected = torch.zeros_like(scores.values)
    for start, x in zip(scores.offsets.tolist(), scores.unbind(), strict=False):
        for tags, share in zip(every(len(x)), all_scores(net, x).softmax(0), strict=True):
            for t, tag in enumerate(tags):
                expected[start + t, tag] += share.detach()
    close(net.marginals(scores).detach(), expected)


@settings(max_examples=15)
@given(lengths=lengths, forbidden=st.booleans())
def test_loss_and_its_gradient_are_those_of_the_definition(lengths: list[int], forbidden: bool, close: Close) -> None:
    net, scores = crf(forbidden), batch(lengths)
    scores.values.requires_grad_()
    tags = net.best(scores)
    weights = torch.randn(len(lengths), dtype=torch.float64)  # each sequence's own
    inputs = [scores.values, *net.parameters()]
    loss = net.loss(scores, tags)
    rows = zip(scores.unbind(), scores.with_values(tags).unbind(), strict=True)
    expected = torch.stack([all_scores(net, x).logsumexp(0) - score(net, x, tuple(y.tolist())) for x, y in rows])
    close(loss.detach(), expected.detach())
    found = torch.autograd.grad((loss * weights).sum(), inputs)
    right = torch.autograd.grad((expected * weights).sum(), inputs, allow_unused=True, materialize_grads=True)
    for one, other in zip(found, right, strict=True):
        close(one, other)


def test_gradients_are_central_differences() -> None:
    net, scores = crf(forbidden=True), batch([4, 1, 0, 3])

    def partition(values: Tensor, transitions: Tensor, first: Tensor, last: Tensor) -> Tensor:
        given = {"transitions": transitions, "first": first, "last": last}
        return torch.func.functional_call(net, given, (scores.with_values(values),))

    net.forward = net.log_partition  # type: ignore[method-assign]
    inputs = [scores.values, net.transitions, net.first, net.last]
    assert torch.autograd.gradcheck(partition, [x.detach().requires_grad_() for x in inputs])


def test_what_is_not_legal_is_infinitely_unlikely() -> None:
    net, scores = crf(forbidden=True), batch([2, 2])
    loss = net.loss(scores, torch.tensor([2, 1, 0, 1]))
    assert loss[0].isfinite() and loss[1] == torch.inf
    assert bool((net.marginals(scores)[[0, 2], 1] == 0).all())


def test_float32_scores_may_be_far_apart() -> None:
    """In float32 the second step's tag would have no way left that leads to it."""
    allowed = torch.eye(2, dtype=torch.bool)
    scores = Ragged.from_list([torch.tensor([[300.0, 0.0], [0.0, 500.0]])])
    net = CRF(2, allowed=allowed)
    assert net.log_partition(scores).item() == pytest.approx(500)
    assert net.best(scores).tolist() == [1, 1]
    assert net.loss(scores, torch.tensor([0, 0])).item() == pytest.approx(200)


def test_alone_is_as_in_a_batch(close: Close) -> None:
    net, scores = crf(True, torch.float32), batch([7, 0, 30, 1], torch.float32)
    tags = net.best(scores)
    together = net.loss(scores, tags).detach()
    for row, (x, y) in enumerate(zip(scores.unbind(), scores.with_values(tags).unbind(), strict=True)):
        close(net.loss(Ragged.from_list([x]), y).detach(), together[row : row + 1])


def test_ten_thousand_steps() -> None:
    net, scores = crf(True), batch([10_000])
    assert net.loss(scores, net.best(scores)).isfinite().all()


def test_wrong_shapes_and_dead_ends_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"scores: expected \[N, 3\], got \[2, 4\]"):
        crf().best(Ragged.from_list([torch.zeros(2, 4)]))
    with pytest.raises(ShapeError, match="allowed"):
        CRF(2, allowed=torch.ones(3, 3, dtype=torch.bool))
    with pytest.raises(InputError, match="no sequence of 2 tags is legal"):
        CRF(2, allowed=torch.zeros(2, 2, dtype=torch.bool))
