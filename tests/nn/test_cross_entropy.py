"""The loss of a large vocabulary, a slice at a time."""

import pytest
import torch
from torch.nn import functional

from recurra.nn import cross_entropy
from recurra.nn.cross_entropy import linear_cross_entropy


def inputs(n: int, h: int, v: int) -> tuple[torch.Tensor, ...]:
    draw = torch.Generator().manual_seed(0)
    x, w, b = (torch.randn(*s, generator=draw, dtype=torch.float64) for s in ((n, h), (v, h), (v,)))
    return x, w, b, torch.randint(0, v, (n,), generator=draw)


@pytest.mark.parametrize("n", [0, 1, 7, 64])
@pytest.mark.parametrize("slice_elements", [1, 50, 10_000])
def test_equals_the_whole_product(n, slice_elements, monkeypatch):
    monkeypatch.setattr(cross_entropy, "SLICE_ELEMENTS", slice_elements)
    x, w, b, t = inputs(n, 5, 11)
    ours = [p.clone().requires_grad_() for p in (x, w, b)]
    theirs = [p.clone().requires_grad_() for p in (x, w, b)]
    loss = linear_cross_entropy(*ours, t)
    whole = functional.cross_entropy(theirs[0] @ theirs[1].T + theirs[2], t, reduction="sum")
    (3 * loss).backward()
    (3 * whole).backward()
    torch.testing.assert_close(loss, whole)
    for a, b_ in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b_.grad)


@pytest.mark.parametrize("smoothing", [0.1, 1.0])
def test_a_smoothed_loss_is_torchs(smoothing):
    x, w, b, t = inputs(9, 5, 11)
    ours = [p.clone().requires_grad_() for p in (x, w, b)]
    theirs = [p.clone().requires_grad_() for p in (x, w, b)]
    loss = linear_cross_entropy(*ours, t, smoothing)
    whole = functional.cross_entropy(theirs[0] @ theirs[1].T + theirs[2], t, reduction="sum", label_smoothing=smoothing)
    loss.backward()
    whole.backward()
    torch.testing.assert_close(loss, whole)
    for a, b_ in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b_.grad)


def test_gradient_meets_central_differences():
    x, w, b, t = inputs(6, 3, 5)
    assert torch.autograd.gradcheck(
        linear_cross_entropy, (x.requires_grad_(), w.requires_grad_(), b.requires_grad_(), t)
    )


def test_never_holds_all_logits(monkeypatch):
    """The largest product is a slice, not N x V."""
    monkeypatch.setattr(cross_entropy, "SLICE_ELEMENTS", 100)
    rows = []
    product = torch.addmm
    monkeypatch.setattr(torch, "addmm", lambda b, x, w: rows.append(len(x)) or product(b, x, w))
    x, w, b, t = inputs(40, 5, 20)
    linear_cross_entropy(x, w, b, t)
    assert max(rows) == 5
    assert sum(rows) == 40
