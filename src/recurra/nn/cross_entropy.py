"""Cross-entropy of a linear layer's output, a slice of rows at a time.

A language model's logits, [N, V], are its largest tensor by far: 2,048 tokens over 33,000 words are 270 MB
and as much again for their gradient. Here the product, the loss and both gradients are made for a few rows at
a time while they are still in the cache, so that nothing of size N x V is ever held and nothing is computed twice.
"""

from typing import Any

import torch
from torch import Tensor

# Logits held at once. 4 MB of float32 stay in a last-level cache; larger slices were slower on CPU.
SLICE_ELEMENTS = 1 << 20


def linear_cross_entropy(x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Summed cross-entropy, in nats, of ``x @ weight.T + bias`` against ``targets``.

    x: [N, H]. weight: [V, H]. bias: [V]. targets: [N] int64 in 0..V-1. smoothing: share of each target spread over
    all V (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567). Returns a scalar: the sum, not the mean, so that
    sums over batches of different sizes can be added. Differentiable once.

    >>> x, w, b, t = torch.randn(5, 3), torch.randn(7, 3), torch.zeros(7), torch.tensor([0, 6, 2, 2, 1])
    >>> whole = torch.nn.functional.cross_entropy(x @ w.T + b, t, reduction="sum")
    >>> bool((linear_cross_entropy(x, w, b, t) - whole).abs() < 1e-4)
    True
    """
    return _LinearCrossEntropy.apply(x, weight, bias, targets, smoothing)  # type: ignore[no-any-return, no-untyped-call]


class _LinearCrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, smoothing: float) -> Tensor:
        # Mixed precision: the product runs in x's type, sums and gradients of the weights in the weights' own.
        w, b = weight.to(x.dtype), bias.to(x.dtype)
        total = torch.zeros((), dtype=weight.dtype, device=x.device)
        train = any(ctx.needs_input_grad[:3])
        dx, dw, db = torch.empty_like(x), torch.zeros_like(weight), torch.zeros_like(bias)
        rows = max(1, SLICE_ELEMENTS // weight.shape[0])
        with torch.autocast(x.device.type, enabled=False):
            for start in range(0, x.shape[0], rows):
                part = slice(start, start + rows)
                logits, target = torch.addmm(b, x[part], w.t()), targets[part, None]
                log_norm = logits.logsumexp(-1, keepdim=True)
                aims = logits.gather(1, target)
                if smoothing:
                    aims = aims.mul_(1 - smoothing).add_(logits.mean(-1, keepdim=True), alpha=smoothing)
                total += (log_norm - aims).sum(dtype=weight.dtype)
                if train:
                    error = logits.sub_(log_norm).exp_()
                    if smoothing:
                        error.sub_(smoothing / weight.shape[0])
                    error.scatter_add_(1, target, torch.full_like(target, smoothing - 1, dtype=error.dtype))
                    torch.mm(error, w, out=dx[part])
                    dw.add_(error.t() @ x[part])
                    db.add_(error.sum(0))
        ctx.save_for_backward(dx, dw, db)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, scale: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias = ctx.saved_tensors
        return x * scale, weight * scale, bias * scale, None, None
