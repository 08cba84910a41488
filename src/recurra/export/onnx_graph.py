"""To and from ONNX's RNN, LSTM and GRU.

ONNX keeps W [D, G*H, I], R [D, G*H, H], B [D, 2*G*H] (biases of input and recurrence side by side) and for peepholes
P [D, 3*H], for D directions. Its gates are i, o, f, c and z, r, h; z keeps the state, as ours does.

``input_forget`` couples the gates of LSTM, but the standard leaves open which of them follows the other. As
1 - sigmoid(a) = sigmoid(-a), it makes no difference where the weights of i are those of f, negated; so we write them.
"""

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from recurra.cells import Cell
from recurra.cells.gru import gru
from recurra.cells.gru_reset_before import gru_reset_before
from recurra.cells.lstm import lstm
from recurra.cells.lstm_coupled import lstm_coupled
from recurra.cells.lstm_peephole import lstm_peephole
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.errors import InputError, MissingExtraError, ShapeError
from recurra.export.weights import Weights, array, check, check_alike, directions, joined, levels, reordered
from recurra.files import atomic
from recurra.nn import Bidirectional, Layer, Recurrent, Stack

Array = npt.NDArray[Any]

LIBRARY = "ONNX"
# The cells ONNX has, with its operator, its order of the gates, and the attributes that make it this cell.
OPERATORS: dict[Cell, tuple[str, str, dict[str, Any]]] = {
    rnn_tanh: ("RNN", "h", {}),
    rnn_relu: ("RNN", "h", {"activations": ["Relu"]}),
    lstm: ("LSTM", "iofg", {}),
    lstm_peephole: ("LSTM", "iofg", {}),
    lstm_coupled: ("LSTM", "iofg", {"input_forget": 1}),
    gru: ("GRU", "zrn", {"linear_before_reset": 1}),
    gru_reset_before: ("GRU", "zrn", {"linear_before_reset": 0}),
}
ACTIVATIONS = {"RNN": ["tanh"], "LSTM": ["sigmoid", "tanh", "tanh"], "GRU": ["sigmoid", "tanh"]}
OURS, THEIRS = "ifo", "iof"  # the order of peepholes
SLOTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
INPUTS = ("X", "sequence_lens", "initial_h", "initial_c")  # those that are no weights
MERGES = {"sum": "ReduceSum", "mean": "ReduceMean", "mul": "ReduceProd"}
OPSET, IR_VERSION = 18, 8


def to_onnx(layer: Layer, path: str | Path | None = None, *, lengths: bool = True, states: bool = False) -> Any:
    """The layer as an ONNX model of RNN, LSTM and GRU nodes, checked by ``onnx.checker``; with a path also as a file.

    layer: Recurrent, Bidirectional or a Stack of them, of the cells ``rnn_tanh``, ``rnn_relu``, ``lstm``,
    ``lstm_peephole``, ``lstm_coupled``, ``gru`` or ``gru_reset_before``; in float32 if ONNX Runtime is to run it, which
    does not in float64. The model takes ``x`` [T, B, I], for any T and B, and gives ``y`` [T, B, F].

    lengths: it also takes ``lengths`` [B] of int32, each 0 to T; y is zero beyond them. Without, all have T steps.
    states: it also takes the initial states, ``h`` and ``c`` [D, B, H] for D directions, in a Stack ``0.h``, ``0.c``
    and so on, and gives the final ones as ``h_after``, ``c_after``. Without, sequences start at zeros.

    Returns an onnx.ModelProto. Raises InputError for what ONNX has not, MissingExtraError without onnx.

    >>> from recurra.cells.lstm import lstm
    >>> model = to_onnx(Stack([Recurrent(lstm, 3, 5), Recurrent(lstm, 5, 4)]), states=True)
    >>> [given.name for given in model.graph.input]
    ['x', 'lengths', '0.h', '0.c', '1.h', '1.c']
    """
    onnx = _onnx()
    found = levels(layer, LIBRARY, residual=True)
    for part in (part for level in found for part in directions(level)):
        check(part, LIBRARY, OPERATORS, learned_state=states)
    graph = _Graph(onnx, layer, lengths, states)
    passed = ["x", *(f"{i}.y" for i in range(len(found) - 1)), "y"]
    residual = [isinstance(layer, Stack) and layer.adds(i) for i in range(len(found))]
    for i, level in enumerate(found):
        graph.add(level, passed[i], passed[i + 1], f"{i}." if isinstance(layer, Stack) else "", residual[i])
    model = graph.model()
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        with atomic(Path(path)) as file:
            onnx.save(model, str(file))
    return model


def from_onnx(model: Any, weights: Mapping[str, Array] | None = None) -> list[Recurrent | Bidirectional]:
    """The layers of an ONNX model: one for each RNN, LSTM and GRU node, in the order of the graph, on the CPU.

    model: an onnx.ModelProto or a file; or one onnx.NodeProto. weights: by name, what is no initialiser or constant of
    the model. Only weights are read: what else the graph computes is left to you, and initial states and lengths are
    given to a layer when it is called. ``layout`` is how a node takes its input, and changes no weight.

    Raises InputError for what no cell does: ``clip``, activations other than a node's own (for RNN also Relu), and an
    ``input_forget`` that could be read in two ways; MissingExtraError without onnx.

    >>> from recurra.cells.gru import gru
    >>> [layer] = from_onnx(to_onnx(Recurrent(gru, 3, 5)))
    >>> layer.cell, layer.input_size, layer.hidden_size
    (<cell gru>, 3, 5)
    """
    onnx = _onnx()
    if isinstance(model, str | Path):
        model = onnx.load(str(model))
    nodes = [model] if isinstance(model, onnx.NodeProto) else model.graph.node
    known: dict[str, Array] = {}
    if not isinstance(model, onnx.NodeProto):
        known |= {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
        for node in nodes:
            if node.op_type == "Constant" and node.attribute[0].name == "value":
                known[node.output[0]] = onnx.numpy_helper.to_array(node.attribute[0].t)
    known |= weights or {}
    return [_read(onnx, node, known) for node in nodes if node.op_type in ACTIVATIONS]


class _Graph:
    """An ONNX graph in the making: layers are added from the first to the last."""

    def __init__(self, onnx: Any, layer: Layer, lengths: bool, states: bool):
        self.onnx, self.lengths, self.states = onnx, lengths, states
        weight = array(next(layer.parameters()))
        self.float = onnx.helper.np_dtype_to_tensor_dtype(weight.dtype)
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self.inputs = [self._value("x", ["T", "B", layer.input_size])]
        if lengths:
            self.inputs.append(self._value("lengths", ["B"], onnx.TensorProto.INT32))
        self.outputs = [self._value("y", ["T", "B", layer.output_size])]

    def model(self) -> Any:
        graph = self.onnx.helper.make_graph(self.nodes, "layer", self.inputs, self.outputs, self.constants)
        opsets = [self.onnx.helper.make_opsetid("", OPSET)]
        return self.onnx.helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="recurra")

    def add(self, layer: Recurrent | Bidirectional, x: str, y: str, prefix: str, residual: bool) -> None:
        """The node of one layer. x, y: names of its input and output. prefix: of its states, weights and the rest."""
        parts = directions(layer)
        check_alike(parts, LIBRARY)
        first = parts[0]
        operator, _, attributes = OPERATORS[first.cell]
        direction = "bidirectional" if len(parts) == 2 else "reverse" if first.reverse else "forward"
        if "activations" in attributes:
            attributes = {"activations": attributes["activations"] * len(parts)}
        slots = {slot: self._constant(f"{prefix}{slot}", value) for slot, value in _tensors(parts).items()}
        names = [prefix + state for state in first.cell.states]
        started = names if self.states else [""] * len(names)
        given = [x, slots["W"], slots["R"], slots.get("B", ""), "lengths" if self.lengths else "", *started]
        made = [f"{prefix}all", *([f"{name}_after" for name in names] if self.states else [])]
        attributes = attributes | {"hidden_size": first.hidden_size, "direction": direction}
        self._node(operator, [*given, *([slots["P"]] if "P" in slots else [])], made, **attributes)
        if self.states:
            shape: list[int | str] = [len(parts), "B", first.hidden_size]
            self.inputs += [self._value(name, shape) for name in names]
            self.outputs += [self._value(f"{name}_after", shape) for name in names]
        if residual:
            self._merge(layer, f"{prefix}all", f"{prefix}merged", prefix)
            self._node("Add", [x, f"{prefix}merged"], [y])
        else:
            self._merge(layer, f"{prefix}all", y, prefix)

    def _merge(self, layer: Recurrent | Bidirectional, x: str, y: str, prefix: str) -> None:
        """[T, D, B, H] to [T, B, F]; with one direction that moves nothing."""
        if isinstance(layer, Bidirectional) and layer.merge == "concat":
            self._node("Transpose", [x], [f"{prefix}turned"], perm=[0, 2, 1, 3])
            shape = self._constant(f"{prefix}shape", np.array([0, 0, layer.output_size], np.int64))
            self._node("Reshape", [f"{prefix}turned", shape], [y])
            return
        axes = self._constant(f"{prefix}axes", np.array([1], np.int64))
        if isinstance(layer, Bidirectional):
            self._node(MERGES[layer.merge], [x, axes], [y], keepdims=0)
        else:
            self._node("Squeeze", [x, axes], [y])

    def _node(self, operator: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> None:
        self.nodes.append(
            self.onnx.helper.make_node(operator, inputs, outputs, f"{operator}:{outputs[0]}", **attributes)
        )

    def _constant(self, name: str, value: Array) -> str:
        self.constants.append(self.onnx.numpy_helper.from_array(value, name))
        return name

    def _value(self, name: str, shape: Sequence[int | str], kind: int = 0) -> Any:
        return self.onnx.helper.make_tensor_value_info(name, kind or self.float, shape)


def _tensors(parts: Sequence[Recurrent]) -> dict[str, Array]:
    """W, R, B and P of a node, B and P where there are any."""
    every = [_expanded(Weights.of(part)).ordered(OPERATORS[part.cell][1]) for part in parts]
    slots = {"W": [weights.input for weights in every], "R": [weights.recurrent for weights in every]}
    if any(weights.biases is not None for weights in every):
        nothing = torch.zeros_like(every[0].input[:, 0])
        slots["B"] = [torch.cat(weights.biases or (nothing, nothing)) for weights in every]
    if "p" in every[0].others:
        slots["P"] = [reordered(weights.others["p"], OURS, THEIRS) for weights in every]
    return {slot: array(torch.stack(tensors)) for slot, tensors in slots.items()}


def _expanded(weights: Weights) -> Weights:
    """Coupled gates as two: what makes i open makes f close."""
    if weights.cell is not lstm_coupled:
        return weights
    return weights.changed(("i", *weights.gates), lambda x: torch.cat([-reordered(x, weights.gates, "f"), x]))


def _coupled(weights: Weights) -> bool:
    """Whether i is 1 - f whatever the input is."""
    input, forget = weights.ordered("i"), weights.ordered("f")
    pairs = [(input.input, forget.input), (input.recurrent, forget.recurrent), (input.bias, forget.bias)]
    return all(a is None or b is None or torch.equal(a, -b) for a, b in pairs)


def _read(onnx: Any, node: Any, known: Mapping[str, Array]) -> Recurrent | Bidirectional:
    where = f"{node.op_type} node {node.name or ' '.join(node.output)}"
    attributes = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
    gates = next(order for operator, order, _ in OPERATORS.values() if operator == node.op_type)
    direction = attributes.get("direction", b"forward").decode()
    ways = {"forward": [False], "reverse": [True], "bidirectional": [False, True]}[direction]
    slots = _slots(where, node, known, len(ways), len(gates))
    parts = []
    for d, reverse in enumerate(ways):
        cell = _cell(where, node.op_type, attributes, d, "P" in slots)
        bias, recurrent_bias = slots["B"][d].chunk(2) if "B" in slots else (None, None)
        biases = None if bias is None or recurrent_bias is None else (bias, recurrent_bias)
        others = {"p": reordered(slots["P"][d], THEIRS, OURS)} if "P" in slots else {}
        weights = Weights(cell, tuple(gates), slots["W"][d], slots["R"][d], biases, others, reverse)
        if cell is lstm_coupled and not _coupled(weights):
            raise InputError(f"input_forget: ONNX does not say which gate follows the other, and {where} depends on it")
        parts.append(weights.layer())
    return joined(parts)


def _slots(where: str, node: Any, known: Mapping[str, Array], ways: int, gates: int) -> dict[str, Tensor]:
    """W, R, B and P of a node, those it has. Raises InputError where one is not known, ShapeError where it is wrong."""
    slots = {}
    for slot, name in zip(SLOTS, node.input, strict=False):
        if not name or slot in INPUTS:
            continue
        if name not in known:
            raise InputError(f"{slot} of {where}: {name!r} is no initialiser or constant; give its value in weights")
        slots[slot] = torch.from_numpy(np.array(known[name]))
        if slots[slot].dtype not in (torch.float16, torch.float32, torch.float64):
            raise ShapeError(f"{slot} of {where}", "float16, float32 or float64", slots[slot].dtype)
    rows, features = slots["W"].shape[1:]
    hidden = rows // gates
    sizes = {
        "W": [gates * hidden, features],
        "R": [gates * hidden, hidden],
        "B": [2 * gates * hidden],
        "P": [3 * hidden],
    }
    for slot, tensor in slots.items():
        if list(tensor.shape) != [ways, *sizes[slot]]:
            raise ShapeError(f"{slot} of {where}", [ways, *sizes[slot]], list(tensor.shape))
    return slots


def _cell(where: str, operator: str, attributes: Mapping[str, Any], direction: int, peepholes: bool) -> Cell:
    if attributes.get("clip"):
        raise InputError(f"clip: no cell has it, got {attributes['clip']} in {where}")
    usual = ACTIVATIONS[operator]
    every = [name.decode().lower() for name in attributes.get("activations", ())] or usual * (1 + direction)
    activations = every[len(usual) * direction :][: len(usual)]
    if operator == "RNN" and activations == ["relu"]:
        return rnn_relu
    if activations != usual:
        raise InputError(f"activations: no cell has {', '.join(activations)}, in {where}; expected {', '.join(usual)}")
    if operator == "RNN":
        return rnn_tanh
    if operator == "GRU":
        return gru if attributes.get("linear_before_reset") else gru_reset_before
    if peepholes and attributes.get("input_forget"):
        raise InputError(f"input_forget: no cell has it together with peepholes, in {where}")
    return lstm_coupled if attributes.get("input_forget") else lstm_peephole if peepholes else lstm


def _onnx() -> Any:
    if find_spec("onnx") is None:
        raise MissingExtraError("exchange with ONNX", "export")
    import onnx

    return onnx
