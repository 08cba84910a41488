"""To and from torch.nn.RNN, torch.nn.LSTM and torch.nn.GRU.

torch keeps the gates in our order, and two biases even where one would do: the second is then zero.
"""

from typing import Any

import torch
from torch import Tensor, nn

from recurra import nn as ours
from recurra.cells import Cell
from recurra.cells.gru import gru
from recurra.cells.lstm import lstm
from recurra.cells.lstm_projected import lstm_projected
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.errors import InputError
from recurra.export.weights import Weights, check, check_alike, directions, joined, levels, stacked

LIBRARY = "torch.nn"
# The cells torch has, with its class and what the class is told.
CLASSES: dict[Cell, tuple[type[nn.RNN | nn.LSTM | nn.GRU], dict[str, Any]]] = {
    rnn_tanh: (nn.RNN, {"nonlinearity": "tanh"}),
    rnn_relu: (nn.RNN, {"nonlinearity": "relu"}),
    lstm: (nn.LSTM, {}),
    lstm_projected: (nn.LSTM, {}),
    gru: (nn.GRU, {}),
}
DropIn = ours.RNN | ours.LSTM | ours.GRU


def to_torch(layer: ours.Layer, *, batch_first: bool = False) -> nn.RNNBase:
    """The layer as torch.nn.RNN, LSTM or GRU, with a copy of its weights, in their dtype and on their device.

    layer: Recurrent, Bidirectional with merge ``concat``, or a Stack of them, all of one cell and of as many units:
    ``rnn_tanh``, ``rnn_relu``, ``lstm``, ``lstm_projected`` or ``gru``. Dropout between layers is taken over; other
    options that act in training only are not. Raises InputError for what torch.nn has not.

    >>> from recurra.cells.lstm import lstm
    >>> to_torch(ours.Bidirectional(ours.Recurrent(lstm, 3, 5), ours.Recurrent(lstm, 3, 5, reverse=True)))
    LSTM(3, 5, bidirectional=True)
    """
    found = levels(layer, LIBRARY)
    each = [part for level in found for part in directions(level)]
    for part in each:
        check(part, LIBRARY, CLASSES)
    check_alike(each, LIBRARY)
    counts = {len(directions(level)) for level in found}
    if len(counts) > 1 or (counts == {1} and any(part.reverse for part in each)):
        raise InputError("layer: torch.nn reads forward, or both ways in every layer; it has nothing else")
    if wrong := [level.merge for level in found if isinstance(level, ours.Bidirectional) and level.merge != "concat"]:
        raise InputError(f"merge: torch.nn has concat only, got {wrong[0]}")
    taken = [Weights.of(part) for part in each]
    bias = any(weights.biases is not None for weights in taken)
    first, two = each[0], isinstance(found[0], ours.Bidirectional)
    options: dict[str, Any] = {"num_layers": len(found), "bidirectional": two, "bias": bias, "batch_first": batch_first}
    options |= {"proj_size": first.projection_size} if first.projection_size else {}
    options |= {"dropout": layer.dropout.p} if isinstance(layer, ours.Stack) and len(found) > 1 else {}
    kind, more = CLASSES[first.cell]
    # Without memory first: what a constructor draws would only be thrown away.
    module = kind(first.input_size, first.hidden_size, **more, **options, device="meta")
    named: dict[str, Tensor] = {}
    for weights, suffix in zip(taken, _suffixes(module), strict=True):
        named |= {f"weight_ih{suffix}": weights.input, f"weight_hh{suffix}": weights.recurrent}
        if bias:
            nothing = torch.zeros_like(weights.input[:, 0])
            named |= zip((f"bias_ih{suffix}", f"bias_hh{suffix}"), weights.biases or (nothing, nothing), strict=True)
        if "V" in weights.others:
            named[f"weight_hr{suffix}"] = weights.others["V"]
    module.load_state_dict({name: value.clone() for name, value in named.items()}, assign=True)
    return module.train(layer.training)


def from_torch(module: nn.RNNBase | DropIn) -> ours.Layer:
    """torch.nn.RNN, LSTM or GRU, or recurra.nn's of these names, as a layer with a copy of its weights.

    Returns a Recurrent or a Bidirectional, or a Stack of one of them for a module of several layers. Raises InputError
    for another kind of module.

    >>> from_torch(nn.GRU(3, 5, num_layers=2)).output_size
    5
    """
    cell = _cell(module)
    taken = []
    for suffix in _suffixes(module):
        matrices = [module.get_parameter(f"weight_{part}{suffix}").detach() for part in ("ih", "hh")]
        biases = [module.get_parameter(f"bias_{part}{suffix}").detach() for part in ("ih", "hh") if module.bias]
        others = {"V": module.get_parameter(f"weight_hr{suffix}").detach()} if cell.projects else {}
        both = (biases[0], biases[1]) if biases else None
        taken.append(Weights(cell, cell.gates, matrices[0], matrices[1], both, others, suffix.endswith("_reverse")))
    parts = [weights.layer() for weights in taken]
    count = 1 + module.bidirectional
    found = [joined(parts[i : i + count]) for i in range(0, len(parts), count)]
    return stacked(found, module.dropout).train(module.training)


def _cell(module: nn.RNNBase | DropIn) -> Cell:
    if isinstance(module, DropIn):
        return module.cell
    for cell, (kind, options) in CLASSES.items():
        told = isinstance(module, kind) and all(getattr(module, name) == value for name, value in options.items())
        if told and cell.projects == (module.proj_size > 0):
            return cell
    raise InputError(f"module: expected torch.nn.RNN, LSTM or GRU, got {type(module).__name__}")


def _suffixes(module: nn.RNNBase | DropIn) -> list[str]:
    """Of the names of a module's parameters: layer by layer, in each forward and then backward."""
    ways = ("", "_reverse")[: 1 + module.bidirectional]
    return [f"_l{n}{way}" for n in range(module.num_layers) for way in ways]
