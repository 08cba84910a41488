"""The kernels as operations of torch.library, for graphs: torch.compile, torch.export, fake tensors.

Calls outside a graph take ``op`` directly, which spares them the way through the dispatcher. Both run the same code.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from recurra.cells.base import BY_KEY, Cell
from recurra.compile import op
from recurra.compile.cpu import SCALARS, Units
from recurra.compile.plan import plan
from recurra.compile.reference import units_of
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


def unroll(
    cell: Cell,
    x: Ragged,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    params: Mapping[str, Tensor],
    initial: tuple[Tensor, ...],
    reverse: bool,
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """As ``recurra.compile.unroll``."""
    rest = [*(params[name] for name in cell.given), *initial]
    tensors = [x.values, weight_ih, *([] if bias_ih is None else [bias_ih]), *rest]
    keep = torch.is_grad_enabled() and any(t.requires_grad for t in tensors)
    y, _, *finals = torch.ops.recurra.unroll(cell.key, x.offsets, reverse, keep, x.values, weight_ih, bias_ih, rest)
    return x.with_values(y), tuple(finals)


@torch.library.custom_op("recurra::unroll", mutates_args=(), device_types="cpu")
def _unroll(
    key: str,
    offsets: Tensor,
    reverse: bool,
    keep: bool,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    rest: Sequence[Tensor],
) -> list[Tensor]:
    """Output, what is kept, final states. rest: what the cell is given, in its order, and the initial states."""
    cell = BY_KEY[key]
    layout = Layout(offsets, x.shape[0])
    output, finals, saved = op.forward(cell, layout, reverse, x, weight_ih, bias_ih, *op.split(cell, rest), keep=keep)
    return [output, x.new_empty(0, 0) if saved is None else saved, *finals]


@_unroll.register_fake
def _(
    key: str,
    offsets: Tensor,
    reverse: bool,
    keep: bool,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    rest: Sequence[Tensor],
) -> list[Tensor]:
    cell = BY_KEY[key]
    initial = rest[len(cell.given) :]
    saved = x.new_empty(0, 0)
    if keep and x.dtype in SCALARS and (letters := plan(cell).train.streams.get("saved")):
        saved = x.new_empty(x.shape[0], Units(*units_of(cell, weight_ih, initial), 1).width(letters))
    return [x.new_empty(x.shape[0], initial[0].shape[1]), saved, *(s.new_empty(s.shape) for s in initial)]


@torch.library.custom_op("recurra::unroll_backward", mutates_args=(), device_types="cpu")
def _backward(
    key: str,
    offsets: Tensor,
    reverse: bool,
    output: Tensor,
    saved: Tensor,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    rest: Sequence[Tensor],
    grads: Sequence[Tensor],
) -> list[Tensor]:
    """The gradient for x, weight_ih, an input bias and each of ``rest`` but what is random."""
    wanted = [True] * (3 + len(rest))
    kept = saved if saved.shape[1] else None
    layout = Layout(offsets, x.shape[0])
    found = op.backward(BY_KEY[key], layout, reverse, output, kept, (x, weight_ih, bias_ih, *rest), grads, wanted)
    return [f for f in found if f is not None]


@_backward.register_fake
def _(
    key: str,
    offsets: Tensor,
    reverse: bool,
    output: Tensor,
    saved: Tensor,
    x: Tensor,
    weight_ih: Tensor,
    bias_ih: Tensor | None,
    rest: Sequence[Tensor],
    grads: Sequence[Tensor],
) -> list[Tensor]:
    cell = BY_KEY[key]
    certain = [*rest[: len(cell.params)], *rest[len(cell.given) :]]
    return [
        t.new_empty(t.shape)
        for t in (x, weight_ih, weight_ih[:, 0] if x.shape[1] else x.new_empty(weight_ih.shape[0]), *certain)
    ]


def _setup(ctx: Any, inputs: tuple[Any, ...], output: list[Tensor]) -> None:
    key, offsets, reverse, _, x, weight_ih, bias_ih, rest = inputs
    ctx.save_for_backward(offsets, output[0], output[1], x, weight_ih, bias_ih, *rest)
    ctx.key, ctx.reverse = key, reverse


def _differentiate(ctx: Any, grads: list[Tensor | None]) -> tuple[Any, ...]:
    offsets, output, saved, x, weight_ih, bias_ih, *rest = ctx.saved_tensors
    initial = rest[len(BY_KEY[ctx.key].given) :]
    given = [
        t.new_zeros(t.shape) if g is None else g
        for g, t in zip([grads[0], *grads[2:]], [output, *initial], strict=True)
    ]
    if torch.is_grad_enabled():
        tensors = (x, weight_ih, bias_ih, *rest)
        wanted = [t is not None and t.requires_grad for t in tensors]
        layout = Layout(offsets, x.shape[0])
        found = op.through_reference(BY_KEY[ctx.key], layout, ctx.reverse, tensors, wanted, given)
    else:
        found = torch.ops.recurra.unroll_backward(
            ctx.key, offsets, ctx.reverse, output, saved, x, weight_ih, bias_ih, rest, given
        )
        cell = BY_KEY[ctx.key]
        found[3 + len(cell.params) : 3 + len(cell.params)] = [None] * len(cell.random)
    to_x, to_weight, to_bias, *to_rest = found
    return None, None, None, None, to_x, to_weight, to_bias if bias_ih is not None else None, to_rest


_unroll.register_autograd(_differentiate, setup_context=_setup)
