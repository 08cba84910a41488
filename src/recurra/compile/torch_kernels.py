"""torch's own fused kernels, one layer and one direction at a time, for the cells that torch has.

Sequences of one length go through the padded kernels as they lie. Others are packed, with indices that are computed
once for a batch and shared by all its layers. An empty sequence, which torch refuses, keeps its initial state.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from recurra.cells.base import Cell
from recurra.cells.gru import gru
from recurra.cells.lstm import lstm
from recurra.cells.lstm_projected import lstm_projected
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.sequences import Ragged

# The name of torch's function for a cell.
KERNELS: dict[Cell, str] = {
    rnn_tanh: "rnn_tanh",
    rnn_relu: "rnn_relu",
    lstm: "lstm",
    lstm_projected: "lstm",
    gru: "gru",
}


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
    if x.layout.steps == 0:
        return x.with_values(x.values.new_empty(0, initial[0].shape[1])), initial
    weights = _weights(weight_ih, bias_ih, params)
    # Padded and projected is what oneDNN does not have: torch then warns, and takes what the packed kernel takes.
    length = None if cell.projects else x.equal_length
    if length is None or reverse:
        return _gathered(cell, x, length, weights, initial, reverse)
    steps = x.values.reshape(len(x), length, x.values.shape[1]).transpose(0, 1)
    output, finals = _call(cell, steps, None, initial, weights)
    return x.with_values(output.transpose(0, 1).flatten(0, 1)), finals


def _gathered(
    cell: Cell, x: Ragged, length: int | None, weights: list[Tensor], initial: tuple[Tensor, ...], reverse: bool
) -> tuple[Ragged, tuple[Tensor, ...]]:
    """Steps and rows in packed order. length: of all sequences, for the padded kernel; None for the packed one."""
    layout = x.layout
    packed, sizes = layout.pack(x.values, reverse), layout.batch_sizes
    active, empty = layout.order.tensor_split([int(sizes[0])])
    states = tuple(s.index_select(0, active) for s in initial)
    if length is None:
        output, finals = _call(cell, packed, sizes, states, weights)
    else:
        output, finals = _call(cell, packed.reshape(length, len(x), packed.shape[1]), None, states, weights)
        output = output.flatten(0, 1)
    if len(empty):
        finals = tuple(torch.cat([f, s.index_select(0, empty)]) for f, s in zip(finals, initial, strict=True))
    return x.with_values(layout.unpack(output, reverse)), tuple(f.index_select(0, layout.rank) for f in finals)


def _call(
    cell: Cell, steps: Tensor, batch_sizes: Tensor | None, states: tuple[Tensor, ...], weights: list[Tensor]
) -> tuple[Tensor, tuple[Tensor, ...]]:
    """steps: [T, B, I], or packed [N, I] with batch_sizes. Returns the output, as steps, and final states [B, size]."""
    if torch.is_autocast_enabled(steps.device.type):
        # torch does this by itself on CUDA only.
        dtype = torch.get_autocast_dtype(steps.device.type)
        steps, states, weights = steps.to(dtype), tuple(s.to(dtype) for s in states), [w.to(dtype) for w in weights]
    # torch wants a single state as a tensor and several as a list.
    hx = states[0].unsqueeze(0) if len(states) == 1 else [s.unsqueeze(0) for s in states]
    # Without biases there are two weights, or three with a projection.
    biases, layers, dropout, both_directions = len(weights) > 3, 1, 0.0, False
    train = torch.is_grad_enabled() and any(t.requires_grad for t in (steps, *states, *weights))
    kernel = getattr(torch._VF, KERNELS[cell])
    if batch_sizes is None:
        output, *finals = kernel(steps, hx, weights, biases, layers, dropout, train, both_directions, False)
    else:
        output, *finals = kernel(steps, batch_sizes, hx, weights, biases, layers, dropout, train, both_directions)
    return output, tuple(f.squeeze(0) for f in finals)


def _weights(weight_ih: Tensor, bias_ih: Tensor | None, params: Mapping[str, Tensor]) -> list[Tensor]:
    """In torch's order: input, recurrent, both biases unless there are none, projection."""
    bias_hh = params.get("b")
    weights = [weight_ih, params["U"]]
    if bias_ih is not None or bias_hh is not None:
        zeros = weight_ih.new_zeros(weight_ih.shape[0])
        weights += [zeros if bias_ih is None else bias_ih, zeros if bias_hh is None else bias_hh]
    return [*weights, params["V"]] if "V" in params else weights
