"""torch.nn's RNN, GRU and LSTM as an ONNX graph, run by ONNX Runtime; compared with torch before it is timed."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Array = npt.NDArray[Any]

# Where ONNX's gates stand in torch's weights: iofc of ifgo, zrh of rzn.
ORDER = {"LSTM": (0, 3, 1, 2), "GRU": (1, 0, 2), "RNN": (0,)}
STATES = {"LSTM": ("h", "c"), "GRU": ("h",), "RNN": ("h",)}
OPSET, IR_VERSION = 14, 8


def installed() -> bool:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


def whole(layer: nn.RNNBase, padded: Tensor, lengths: Tensor) -> Callable[[], object]:
    """The layer over padded [B, T, I] in time-major order, by the faster of a plain run and bound memory."""
    session = _session(layer, padded.shape[0], padded.shape[1], stateful=False)
    feeds = {"x": padded.detach().transpose(0, 1).contiguous().numpy(), "lengths": lengths.int().numpy()}
    with torch.no_grad():
        expected = layer(nn.utils.rnn.pack_padded_sequence(padded, lengths, batch_first=True, enforce_sorted=False))[0]
    expected, _ = nn.utils.rnn.pad_packed_sequence(expected, total_length=padded.shape[1])
    _check(session.run(["y"], feeds)[0], expected)
    binding = session.io_binding()
    for name, value in feeds.items():
        binding.bind_cpu_input(name, value)
    output = np.empty(tuple(expected.shape), np.float32)
    binding.bind_output("y", "cpu", 0, np.float32, output.shape, output.ctypes.data)

    def bound() -> object:
        session.run_with_iobinding(binding)
        return output

    return _faster(lambda: session.run(["y"], feeds), bound)


def stream(layer: nn.RNNBase) -> Callable[[Array], Array]:
    """A step at a time, one sequence: takes x [I], gives the output [H], and carries the state."""
    session = _session(layer, 1, 1, stateful=True)
    names = STATES[layer.mode.split("_")[0]]
    state = {name: np.zeros((1, 1, layer.hidden_size), np.float32) for name in names}
    wanted = ["y", *(f"{name}_after" for name in names)]

    def step(x: Array) -> Array:
        y, *after = session.run(wanted, {"x": x.reshape(1, 1, -1), **state})
        state.update(zip(names, after, strict=True))
        return np.asarray(y).reshape(-1)

    x = torch.randn(3, 1, layer.input_size)
    with torch.no_grad():
        _check(np.stack([step(row) for row in x[:, 0].numpy()])[:, None], layer(x.transpose(0, 1))[0].transpose(0, 1))
    state.update({name: np.zeros_like(value) for name, value in state.items()})
    return step


def _check(y: Array, expected: Tensor) -> None:
    worst = float(np.abs(y - expected.numpy()).max(initial=0.0))
    if worst > 1e-5:
        raise RuntimeError(f"ONNX Runtime's output differs from torch's by {worst:.1e}: it does not do the same work")


def _faster(*ways: Callable[[], object]) -> Callable[[], object]:
    def seconds(way: Callable[[], object]) -> float:
        took = []
        for _ in range(4):
            start = time.perf_counter()
            way()
            took.append(time.perf_counter() - start)
        return min(took)

    return min(ways, key=seconds)


def _session(layer: nn.RNNBase, batch: int, steps: int, stateful: bool) -> Any:
    """stateful: with states going in and coming out, and no lengths; for one layer in one direction."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    model = _model(layer, batch, steps, stateful).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _model(layer: nn.RNNBase, batch: int, steps: int, stateful: bool) -> Any:
    from onnx import TensorProto, helper, numpy_helper

    kind, directions = layer.mode.split("_")[0], 1 + layer.bidirectional
    options: dict[str, Any] = {"hidden_size": layer.hidden_size}
    options |= {"direction": "bidirectional" if layer.bidirectional else "forward"}
    options |= {"linear_before_reset": 1} if kind == "GRU" else {}
    states = STATES[kind] if stateful else ()
    nodes, weights = [], []
    for i in range(layer.num_layers):
        names = [f"{part}{i}" for part in "WRB"]
        weights += [numpy_helper.from_array(w, n) for w, n in zip(_weights(layer, kind, i), names, strict=True)]
        inputs = ["x" if i == 0 else f"y{i - 1}", *names, "" if stateful else "lengths", *states]
        nodes.append(helper.make_node(kind, inputs, [f"raw{i}", *(f"{s}_after" for s in states)], **options))
        last = "y" if i == layer.num_layers - 1 else f"y{i}"
        nodes += _joined(helper, i, last, directions)
    weights.append(numpy_helper.from_array(np.array([steps, batch, directions * layer.hidden_size], np.int64), "shape"))

    def value(name: str, shape: list[int], kind: int = TensorProto.FLOAT) -> Any:
        return helper.make_tensor_value_info(name, kind, shape)

    state = [1, batch, layer.hidden_size]
    given = [value("x", [steps, batch, layer.input_size]), *(value(s, state) for s in states)]
    given += [] if stateful else [value("lengths", [batch], TensorProto.INT32)]
    outputs = [value("y", [steps, batch, directions * layer.hidden_size])]
    outputs += [value(f"{s}_after", state) for s in states]
    graph = helper.make_graph(nodes, "layer", given, outputs, weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)


def _joined(helper: Any, i: int, output: str, directions: int) -> list[Any]:
    """[T, D, B, H] of an ONNX layer to [T, B, D*H]; with one direction that moves nothing."""
    if directions == 1:
        return [helper.make_node("Reshape", [f"raw{i}", "shape"], [output])]
    turned = helper.make_node("Transpose", [f"raw{i}"], [f"turned{i}"], perm=[0, 2, 1, 3])
    return [turned, helper.make_node("Reshape", [f"turned{i}", "shape"], [output])]


def _weights(layer: nn.RNNBase, kind: str, i: int) -> list[Array]:
    """W [D, G*H, I], R [D, G*H, H] and B [D, 2*G*H] of one layer, gates in ONNX's order."""
    suffixes = [f"_l{i}", f"_l{i}_reverse"][: 1 + layer.bidirectional]

    def ordered(name: str) -> Tensor:
        blocks = layer.get_parameter(name).detach().chunk(len(ORDER[kind]))
        return torch.cat([blocks[k] for k in ORDER[kind]])

    parts = [[ordered(name + suffix) for suffix in suffixes] for name in ("weight_ih", "weight_hh")]
    biases = [torch.cat([ordered("bias_ih" + suffix), ordered("bias_hh" + suffix)]) for suffix in suffixes]
    return [torch.stack(part).numpy() for part in (*parts, biases)]
