"""A linear-chain conditional random field over Ragged batches.

    score(y | x)  = first[y_1] + sum_t scores[t, y_t] + sum_t transitions[y_t, y_t+1] + last[y_T]
    p(y | x)      = exp(score(y | x) - log Z(x))

Lafferty, McCallum & Pereira 2001, https://repository.upenn.edu/cis_papers/159. Sums run over whole sequences by the
forward and backward recursions, all sequences of a batch together in packed order, so that padding costs nothing. Each
step is a product with exp(transitions); the gradient of log Z are the marginals, from the same recursions.
"""

from typing import Any

import torch
from torch import Tensor, nn

from recurra.errors import InputError, ShapeError
from recurra.nn.checks import check_sizes
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


class CRF(nn.Module):
    """Probabilities of whole tag sequences from scores of each step and of each transition.

    tags: K. allowed: [K, K] bool, whether tag j may follow tag i. may_begin, may_end: [K] bool. None: all may. What may
    not be has probability 0, and no score of its own. Raises InputError where some length has no legal sequence.

    >>> crf = CRF(2, allowed=torch.tensor([[True, False], [True, True]]))
    >>> scores = Ragged.from_list([torch.tensor([[1.0, 0.0], [0.0, 1.0]])])
    >>> crf.best(scores)  # 0 then 1 would score most, but is not allowed
    tensor([0, 0])
    """

    def __init__(
        self,
        tags: int,
        *,
        allowed: Tensor | None = None,
        may_begin: Tensor | None = None,
        may_end: Tensor | None = None,
    ):
        super().__init__()
        check_sizes(tags=tags)
        self.transitions = nn.Parameter(torch.zeros(tags, tags))
        self.first = nn.Parameter(torch.zeros(tags))
        self.last = nn.Parameter(torch.zeros(tags))
        for name, given, shape in (
            ("allowed", allowed, (tags, tags)),
            ("may_begin", may_begin, (tags,)),
            ("may_end", may_end, (tags,)),
        ):
            legal = torch.ones(shape, dtype=torch.bool) if given is None else given
            if legal.shape != shape or legal.dtype != torch.bool:
                raise ShapeError(name, f"{list(shape)} torch.bool", f"{list(legal.shape)} {legal.dtype}")
            self.register_buffer(name, legal, persistent=False)
        if not self.transitions.is_meta:  # there are no values then
            self._check_lengths()

    def _check_lengths(self) -> None:
        allowed, reached, may_end = (self.get_buffer(name) for name in ("allowed", "may_begin", "may_end"))
        for length in range(1, len(may_end) + 2):
            if not bool((reached & may_end).any()):
                raise InputError(f"allowed, may_begin, may_end: no sequence of {length} tags is legal")
            reached = allowed[reached].any(0)

    def loss(self, scores: Ragged, tags: Tensor) -> Tensor:
        """-log p of each sequence's tags in nats, [B]; infinite for tags that are not legal.

        scores: values [N, K]. tags: [N] int64.
        """
        x, transitions, first, last = self._weights(scores)
        rows, offsets, steps = scores.layout.rows, scores.offsets, x.shape[0]
        gold = x.gather(1, tags[:, None])[:, 0]
        follows = torch.ones(steps, dtype=torch.bool, device=x.device)
        begins, ends = _bounds(offsets)
        follows[begins] = False
        after = follows.nonzero()[:, 0]
        gold = gold.index_add(0, after, transitions[tags[after - 1], tags[after]])
        gold = gold.index_add(0, begins, first[tags[begins]]).index_add(0, ends, last[tags[ends]])
        total = x.new_zeros(len(scores)).index_add(0, rows, gold)
        partition: Tensor = _LogPartition.apply(x, transitions, first, last, scores.layout)  # type: ignore[no-untyped-call]
        return (partition - total).to(scores.values.dtype)

    def log_partition(self, scores: Ragged) -> Tensor:
        """log Z, [B]; 0 for an empty sequence. scores: values [N, K]."""
        found: Tensor = _LogPartition.apply(*self._weights(scores), scores.layout)  # type: ignore[no-untyped-call]
        return found.to(scores.values.dtype)

    def marginals(self, scores: Ragged) -> Tensor:
        """How probable each tag is at each step, given the whole sequence: [N, K]. scores: values [N, K]."""
        x, transitions, first, last = self._weights(scores)
        layout = scores.layout
        alpha, z = _forward(layout.pack(x, False), transitions, first, last, layout)
        beta = _backward(layout.pack(x, False), transitions, last, layout)
        found = layout.unpack(alpha + beta, False) - z[layout.rows, None]
        return found.exp().to(scores.values.dtype)

    @torch.no_grad()
    def best(self, scores: Ragged) -> Tensor:
        """The tags of the most probable sequences, [N] int64 (Viterbi 1967). scores: values [N, K]."""
        x, transitions, first, last = self._weights(scores)
        layout, x = scores.layout, scores.layout.pack(x, False)
        parts = _parts(layout)
        delta, back = torch.empty_like(x), torch.empty_like(x, dtype=torch.int64)
        for t, (start, n) in enumerate(parts):
            if t == 0:
                delta[:n] = x[:n] + first
                continue
            before = parts[t - 1][0]
            top, back[start : start + n] = (delta[before : before + n, :, None] + transitions).max(1)
            delta[start : start + n] = top + x[start : start + n]
        found = (delta + last).argmax(1)  # right where a sequence ends; the others follow from their next step
        for (start, _), (after, n) in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=True):
            found[start : start + n] = back[after : after + n].gather(1, found[after : after + n, None])[:, 0]
        return layout.unpack(found, False)

    def _weights(self, scores: Ragged) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """scores, transitions, first and last, minus infinity where not legal, in float64 where the device has it.

        exp and log of sums over sequences need the range: in float32 a tag e^-88 times as likely as another is gone.
        """
        tags = len(self.first)
        if scores.values.ndim != 2 or scores.values.shape[1] != tags:
            raise ShapeError("scores", f"[N, {tags}]", list(scores.values.shape))
        wide = scores.values.dtype if scores.values.device.type == "mps" else torch.float64
        pairs = ((self.transitions, "allowed"), (self.first, "may_begin"), (self.last, "may_end"))
        legal = (value.to(wide).masked_fill(~self.get_buffer(name), -torch.inf) for value, name in pairs)
        return scores.values.to(wide), *legal  # type: ignore[return-value]


def _bounds(offsets: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last step of each sequence that is not empty."""
    full = offsets.diff() > 0
    return offsets[:-1][full], offsets[1:][full] - 1


def _parts(layout: Layout) -> list[tuple[int, int]]:
    """Of each time step: where its rows begin in packed order, and how many there are."""
    sizes = layout.batch_sizes
    return list(zip((sizes.cumsum(0) - sizes).tolist(), sizes.tolist(), strict=True))


def _log_product(x: Tensor, matrix: Tensor) -> Tensor:
    """log(exp(x) @ matrix), x: [n, K], matrix: [K, K]."""
    top = x.amax(1, keepdim=True)
    return (x - top).exp().mm(matrix).log_().add_(top)


def _forward(x: Tensor, transitions: Tensor, first: Tensor, last: Tensor, layout: Layout) -> tuple[Tensor, Tensor]:
    """x: [N, K], packed. Returns the log-sums of what leads to each step's tag, [N, K] packed, and log Z, [B]."""
    alpha, matrix, parts = torch.empty_like(x), transitions.exp(), _parts(layout)
    for t, (start, n) in enumerate(parts):
        if t == 0:
            alpha[:n] = x[:n] + first
        else:
            before = parts[t - 1][0]
            alpha[start : start + n] = _log_product(alpha[before : before + n], matrix).add_(x[start : start + n])
    z = x.new_zeros(len(layout))
    _, unpack = layout.packing(False)
    full = layout.lengths > 0
    z[full] = (alpha[unpack[layout.offsets[1:][full] - 1]] + last).logsumexp(1)
    return alpha, z


def _backward(x: Tensor, transitions: Tensor, last: Tensor, layout: Layout) -> Tensor:
    """x: [N, K], packed. Returns the log-sums of what may follow each step's tag, [N, K] packed."""
    beta, matrix, parts = last.repeat(x.shape[0], 1), transitions.t().exp(), _parts(layout)
    for (start, _), (after, n) in zip(reversed(parts[:-1]), reversed(parts[1:]), strict=True):
        beta[start : start + n] = _log_product(x[after : after + n] + beta[after : after + n], matrix)
    return beta


class _LogPartition(torch.autograd.Function):
    """x: [N, K] ragged. Returns log Z, [B]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, transitions: Tensor, first: Tensor, last: Tensor, layout: Layout) -> Tensor:
        packed = layout.pack(x, False)
        alpha, z = _forward(packed, transitions, first, last, layout)
        ctx.save_for_backward(packed, transitions, last, alpha, z)
        ctx.layout = layout
        return z

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, transitions, last, alpha, z = ctx.saved_tensors
        layout: Layout = ctx.layout
        beta = _backward(x, transitions, last, layout)
        pack, _ = layout.packing(False)
        rows = layout.rows[pack]
        share = (alpha + beta - z[rows, None]).exp() * grad[rows, None]
        ragged = layout.unpack(share, False)
        begins, ends = _bounds(layout.offsets)
        # Expected transitions: sums of outer products, as one product. The step before lies one part earlier.
        sizes = layout.batch_sizes.to(x.device)
        after = torch.arange(int(sizes[0]) if len(sizes) else 0, x.shape[0], device=x.device)
        before = after - torch.repeat_interleave(sizes[:-1], sizes[1:])
        left, right = alpha[before], x[after] + beta[after]
        top_left, top_right = left.amax(1, keepdim=True), right.amax(1, keepdim=True)
        weight = (top_left + top_right - z[rows[after], None]).exp() * grad[rows[after], None]
        pairs = (left - top_left).exp().t() @ ((right - top_right).exp() * weight) * transitions.exp()
        return ragged, pairs, ragged[begins].sum(0), ragged[ends].sum(0), None
