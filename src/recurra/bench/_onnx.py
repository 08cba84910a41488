"""torch.nn's RNN, GRU and LSTM as an ONNX graph, run by ONNX Runtime; compared with torch before it is timed."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from recurra.export import from_torch, to_onnx

Array = npt.NDArray[Any]


def installed() -> bool:
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError:
        return False
    return True


def whole(layer: nn.RNNBase, padded: Tensor, lengths: Tensor) -> Callable[[], object]:
    """The layer over padded [B, T, I] in time-major order, by the faster of a plain run and bound memory."""
    session = _session(layer, stateful=False)
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
    session = _session(layer, stateful=True)
    names = [given.name for given in session.get_inputs() if given.name != "x"]
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


def _session(layer: nn.RNNBase, stateful: bool) -> Any:
    """stateful: with states going in and coming out, and no lengths."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = torch.get_num_threads(), 1
    model = to_onnx(from_torch(layer), lengths=not stateful, states=stateful).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
