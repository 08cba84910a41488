"""To and from Keras 3's SimpleRNN, LSTM, GRU and Bidirectional.

Keras keeps its matrices transposed, [I, G*H] and [H, G*H]. Its gates are i, f, c, o and z, r, h; z keeps the state, as
ours does. There is one bias, the sum of ours, except for GRU with ``reset_after``: [2, 3H], of input and recurrence.
"""

from importlib.util import find_spec
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurra.cells import Cell
from recurra.cells.gru import gru
from recurra.cells.gru_reset_before import gru_reset_before
from recurra.cells.lstm import lstm
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.errors import InputError, MissingExtraError
from recurra.export.weights import Weights, array, check, directions, levels
from recurra.nn import Bidirectional, Layer, Recurrent, Stack
from recurra.nn.recurrent import Merge

Array = npt.NDArray[Any]

LIBRARY = "Keras"
# The cells Keras has, with its class, its order of the gates, and what the class is told.
CLASSES: dict[Cell, tuple[str, str, dict[str, Any]]] = {
    rnn_tanh: ("SimpleRNN", "h", {"activation": "tanh"}),
    rnn_relu: ("SimpleRNN", "h", {"activation": "relu"}),
    lstm: ("LSTM", "ifgo", {"activation": "tanh", "recurrent_activation": "sigmoid"}),
    gru: ("GRU", "zrn", {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": True}),
    gru_reset_before: ("GRU", "zrn", {"activation": "tanh", "recurrent_activation": "sigmoid", "reset_after": False}),
}
MERGES: dict[Merge, str] = {"concat": "concat", "sum": "sum", "mean": "ave", "mul": "mul"}


def keras_weights(layer: Recurrent | Bidirectional) -> list[Array]:
    """What ``set_weights`` of the Keras layer takes; Keras itself is not needed. See ``to_keras``.

    >>> from recurra.cells.gru import gru
    >>> [w.shape for w in keras_weights(Recurrent(gru, 3, 5))]
    [(3, 15), (5, 15), (2, 15)]
    """
    found: list[Tensor] = []
    for part in _parts(layer):
        weights = Weights.of(part).ordered(CLASSES[part.cell][1])
        found += [weights.input.T, weights.recurrent.T]
        if weights.biases is not None and weights.bias is not None:
            found.append(torch.stack(weights.biases) if part.cell is gru else weights.bias)
    return [array(x) for x in found]


def to_keras(layer: Recurrent | Bidirectional, *, return_sequences: bool = True) -> Any:
    """The layer as a Keras layer with its weights, for any backend of Keras.

    layer: of the cells ``rnn_tanh``, ``rnn_relu``, ``lstm``, ``gru`` or ``gru_reset_before``; give a Stack's layers one
    by one. return_sequences: the output of every step, else of each sequence's last. With another option of Keras,
    build the layer yourself and give it ``keras_weights``. Options that act in training only are not taken over.

    A Recurrent with ``reverse`` gets ``go_backwards``, and Keras then returns its output in the order it read: from the
    last step to the first. In a Bidirectional both are in the order of the sequence. Raises InputError for what Keras
    has not, MissingExtraError without Keras.
    """
    keras = _keras()
    weights = keras_weights(layer)
    made = [_made(keras, part, return_sequences) for part in _parts(layer)]
    built = made[0]
    if isinstance(layer, Bidirectional):
        built = keras.layers.Bidirectional(made[0], merge_mode=MERGES[layer.merge], backward_layer=made[1])
    built.build((None, None, layer.input_size))
    built.set_weights(weights)
    return built


def from_keras(layer: Any) -> Recurrent | Bidirectional:
    """A Keras SimpleRNN, LSTM or GRU, or a Bidirectional of one, as a layer with a copy of its weights, on the CPU.

    What a layer returns, its last output or all, is no matter of weights: Recurra's returns all, and ``last`` finds the
    last. Raises InputError for a layer without weights yet, another kind of layer, or activations other than Keras'
    own for it (for SimpleRNN also relu), MissingExtraError without Keras.
    """
    keras = _keras()
    if not isinstance(layer, keras.layers.Bidirectional):
        return _read(keras, layer)
    merges: dict[str, Merge] = {theirs: mine for mine, theirs in MERGES.items()}
    if layer.merge_mode not in merges:
        raise InputError(f"merge_mode: expected one of {', '.join(merges)}, got {layer.merge_mode}")
    ahead, back = (_read(keras, each) for each in (layer.forward_layer, layer.backward_layer))
    return Bidirectional(ahead, back, merges[layer.merge_mode])


def _parts(layer: Layer) -> list[Recurrent]:
    """A layer's directions. Raises InputError for what Keras has not."""
    if isinstance(layer, Stack):
        raise InputError("layer: expected one layer, got a Stack; take [to_keras(each) for each in stack.layers]")
    parts = directions(levels(layer, LIBRARY)[0])
    for part in parts:
        check(part, LIBRARY, CLASSES)
    return parts


def _made(keras: Any, part: Recurrent, return_sequences: bool) -> Any:
    kind, _, options = CLASSES[part.cell]
    bias = Weights.of(part).biases is not None
    dtype = str(part.weight_ih.dtype).removeprefix("torch.")
    told = {"use_bias": bias, "go_backwards": part.reverse, "return_sequences": return_sequences, "dtype": dtype}
    return getattr(keras.layers, kind)(part.hidden_size, **options, **told)


def _read(keras: Any, layer: Any) -> Recurrent:
    cell = _cell(keras, layer)
    arrays = [torch.from_numpy(np.array(array)) for array in layer.get_weights()]
    if not arrays:
        raise InputError(f"layer: {layer.name} has no weights yet; call it once, or build it")
    bias = arrays[2] if layer.use_bias else None
    biases = None if bias is None else (bias[0], bias[1]) if bias.ndim == 2 else (bias, torch.zeros_like(bias))
    gates = tuple(CLASSES[cell][1])
    return Weights(cell, gates, arrays[0].T, arrays[1].T, biases, {}, layer.go_backwards).layer()


def _cell(keras: Any, layer: Any) -> Cell:
    told: dict[str, Any] = {}
    for cell, (kind, _, options) in CLASSES.items():
        if isinstance(layer, getattr(keras.layers, kind)):
            told = {option: _told(keras, layer, option) for option in options}
            if told == options:
                return cell
    if told:
        got = ", ".join(f"{name}={value}" for name, value in told.items())
        raise InputError(f"layer: no cell is a {type(layer).__name__} with {got}, as {layer.name} is")
    kinds = ", ".join(dict.fromkeys(kind for kind, _, _ in CLASSES.values()))
    raise InputError(f"layer: expected a Keras {kinds} or Bidirectional, got {type(layer).__name__}")


def _told(keras: Any, layer: Any, option: str) -> Any:
    """What a Keras layer was told; an activation by its name."""
    value = getattr(layer, option)
    return keras.activations.serialize(value) if callable(value) else value


def _keras() -> Any:
    if find_spec("keras") is None:
        raise MissingExtraError("exchange with Keras", "keras")
    import keras

    return keras
