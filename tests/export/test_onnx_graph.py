"""ONNX: what ONNX Runtime makes of our models, to 1e-5 in float32, and the standard's own test vectors read back."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch.nn.utils.rnn import pad_sequence

from recurra.cells.gru import gru
from recurra.cells.gru_reset_before import gru_reset_before
from recurra.cells.lstm import lstm
from recurra.cells.lstm_coupled import lstm_coupled
from recurra.cells.lstm_peephole import lstm_peephole
from recurra.cells.lstm_projected import lstm_projected
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.errors import InputError, MissingExtraError, ShapeError
from recurra.export import from_onnx, from_torch, to_onnx
from recurra.nn import Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged, State

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

INPUT, H = 3, 4
CELLS = (rnn_tanh, rnn_relu, lstm, lstm_peephole, lstm_coupled, gru, gru_reset_before)
every_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)


def drawn(layer):
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.requires_grad_(False)


def both(cell, merge="concat", size=INPUT, **options):
    return Bidirectional(Recurrent(cell, size, H, **options), Recurrent(cell, size, H, reverse=True, **options), merge)


def run(model, **given):
    """Outputs of ONNX Runtime by name."""
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    arrays = session.run(names, {name: np.ascontiguousarray(value) for name, value in given.items()})
    return {name: torch.from_numpy(array) for name, array in zip(names, arrays, strict=True)}


def feeds(x):
    return {"x": pad_sequence(list(x.unbind())).numpy(), "lengths": x.lengths.int().numpy()}


def batch(lengths):
    return Ragged.from_list([torch.randn(length, INPUT) for length in lengths])


layers = some.sampled_from(["one", "reverse", "concat", "sum", "mean", "mul", "stack", "residual"])


def built(cell, kind, bias):
    if kind == "stack":
        above = Recurrent(gru, H, 2, bias=bias)
        below = [both(cell, bias=bias), Recurrent(cell, 2 * H, H, reverse=True, bias=bias)]
        return drawn(Stack([*below, above], dropout=0.5)).eval()
    if kind == "residual":
        return drawn(Stack([both(cell, bias=bias), both(cell, size=2 * H, bias=bias)], residual=True))
    if kind in ("one", "reverse"):
        return drawn(Recurrent(cell, INPUT, H, reverse=kind == "reverse", bias=bias))
    return drawn(both(cell, kind, bias=bias))


@every_cell
@given(kind=layers, bias=some.booleans(), lengths=some.lists(some.integers(0, 6), min_size=1, max_size=5))
def test_onnx_runtime_gives_our_outputs(cell, kind, bias, lengths, close):
    layer, x = built(cell, kind, bias), batch([*lengths, 3])
    y, _ = layer(x)
    close(run(to_onnx(layer), **feeds(x))["y"], pad_sequence(list(y.unbind())))


@every_cell
@given(kind=layers, lengths=some.lists(some.integers(1, 6), min_size=1, max_size=5))
def test_states_go_in_and_come_out(cell, kind, lengths, close):
    layer, x = built(cell, kind, True), batch(lengths)
    zeros = layer.initial_state(len(x))
    start = State({name: torch.randn_like(zeros[name]) for name in zeros})
    y, state = layer(x, start)
    model = to_onnx(layer, states=True)
    names = [given.name for given in model.graph.input][2:]
    outputs = run(model, **feeds(x), **{name: grouped(start, name).numpy() for name in names})
    close(outputs["y"], pad_sequence(list(y.unbind())))
    assert set(outputs) == {"y", *(f"{name}_after" for name in names)}
    for name in names:
        close(outputs[f"{name}_after"], grouped(state, name))


def grouped(state, name):
    """[D, B, H] of ONNX's name: of ``0.h`` our ``0.h``, or ``0.forward.h`` and ``0.backward.h``."""
    layer, _, letter = f".{name}".rpartition(".")
    each = [state[full] for full in state if f".{full}".startswith(f"{layer}.") and full.split(".")[-1] == letter]
    return torch.stack(each)


@every_cell
@pytest.mark.parametrize("bias", [True, False])
def test_there_and_back(cell, bias, tmp_path):
    stack = drawn(Stack([both(cell, bias=bias), Recurrent(cell, 2 * H, H, reverse=True, bias=bias)]))
    to_onnx(stack, tmp_path / "stack.onnx")
    back = Stack(from_onnx(tmp_path / "stack.onnx")).state_dict()
    assert all(torch.equal(weight, back[name]) for name, weight in stack.state_dict().items())


def test_without_lengths_all_sequences_have_all_steps(close):
    layer, x = drawn(both(lstm)), batch([4, 4])
    model = to_onnx(layer, lengths=False)
    assert [given.name for given in model.graph.input] == ["x"]
    close(run(model, x=feeds(x)["x"])["y"], pad_sequence(list(layer(x)[0].unbind())))


def test_a_learned_start_is_given_as_a_state(close):
    layer, x = drawn(Recurrent(gru, INPUT, H, learned_state=True)), batch([3, 1])
    with pytest.raises(InputError, match="learned_state: ONNX has no initial state among its weights"):
        to_onnx(layer)
    outputs = run(to_onnx(layer, states=True), **feeds(x), h=layer.initial_state(2)["h"][None].numpy())
    close(outputs["y"], pad_sequence(list(layer(x)[0].unbind())))


@pytest.mark.parametrize("name", ["RNN", "LSTM", "GRU"])
@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}, {"bias": False}], ids=str)
@pytest.mark.filterwarnings("ignore")  # what the exporter says of itself
def test_what_torch_exported_is_read(name, options, tmp_path, close):
    """Models as they are found: torch names weights in its own way, and writes more nodes."""
    module, x = getattr(torch.nn, name)(INPUT, H, **options), batch([5])
    torch.onnx.export(module, (x.values[:, None],), tmp_path / "torch.onnx", dynamo=False)
    stack = Stack(from_onnx(tmp_path / "torch.onnx"))
    close(stack(x)[0].values, module(x.values[:, None])[0][:, 0])
    close(from_torch(module)(x)[0].values, stack(x)[0].values)


def published():
    """The standard's own cases for RNN, LSTM and GRU, by name: each a node, its inputs, and what must come out."""
    from onnx.backend.test.case.node import _NodeTestCases, gru, lstm, rnn  # noqa: F401  (importing fills the list)

    return {each.name: each for each in _NodeTestCases if each.model.graph.node[0].op_type in ("RNN", "LSTM", "GRU")}


PUBLISHED = published()


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_vectors(name, close):
    model, [(given, expected)] = PUBLISHED[name].model, PUBLISHED[name].data_sets
    values = dict(zip((value.name for value in model.graph.input), given, strict=True))
    [layer] = from_onnx(model, values)
    [node], x = model.graph.node, torch.from_numpy(values["X"])
    batchwise = any(each.name == "layout" and each.i == 1 for each in node.attribute)
    x = x if batchwise else x.transpose(0, 1)
    lengths = torch.from_numpy(values.get("sequence_lens", np.full(len(x), x.shape[1])))
    assert not any(values[name].any() for name in ("initial_h", "initial_c") if name in values)
    y, state = layer(Ragged.from_padded(x, lengths))
    found = {f"Y_{letter}": grouped(state, letter) for letter in ("h", "c") if any(n[-1] == letter for n in state)}
    found["Y"] = y.to_padded().unflatten(-1, (len(found["Y_h"]), -1)).permute(1, 2, 0, 3)
    if batchwise:
        found = {name: value.movedim(-2, 0) for name, value in found.items()}
    for name, value in zip((value.name for value in model.graph.output), expected, strict=True):
        close(found[name], torch.from_numpy(np.array(value)))


def test_the_published_vectors_are_there():
    """All that the installed onnx has are run above, and none is left out; these are as old as the oldest we take."""
    kinds = {"gru": "seq_length", "lstm": "with_peepholes", "simple_rnn": "batchwise"}
    every = {
        f"test_{op}_{case}"
        for op, more in kinds.items()
        for case in ("defaults", "with_initial_bias", "batchwise", more)
    }
    assert set(PUBLISHED) >= {*every, "test_rnn_seq_length"}


def node(operator, inputs="XWRB", **attributes):
    return onnx.helper.make_node(operator, list(inputs), ["Y"], name="here", **attributes)


def arrays(gates, directions=1, **more):
    sizes = {"W": (gates * H, INPUT), "R": (gates * H, H), "B": (2 * gates * H,)} | more
    return {slot: np.random.default_rng(0).normal(size=(directions, *size)) for slot, size in sizes.items()}


def test_a_node_alone_is_read_with_its_weights():
    [layer] = from_onnx(node("RNN", direction="bidirectional", activations=["Relu", "Tanh"]), arrays(1, 2))
    assert (layer.forwards.cell, layer.backwards.cell) == (rnn_relu, rnn_tanh)
    assert layer.forwards.weight_ih.dtype == torch.float64


REFUSED = {
    r"activations: no cell has hardsigmoid, tanh, tanh, in LSTM node here; expected sigmoid, tanh, tanh": (
        node("LSTM", activations=["HardSigmoid", "Tanh", "Tanh"]),
        arrays(4),
    ),
    r"activations: no cell has affine, in RNN node here": (node("RNN", activations=["Affine"]), arrays(1)),
    r"clip: no cell has it, got 3.0 in GRU node here": (node("GRU", clip=3.0), arrays(3)),
    r"R of RNN node here: 'R' is no initialiser": (node("RNN"), {"W": arrays(1)["W"]}),
    r"input_forget: ONNX does not say": (node("LSTM", input_forget=1), arrays(4)),
    r"together with peepholes": (
        node("LSTM", ["X", "W", "R", "B", "", "", "", "P"], input_forget=1),
        arrays(4, P=(3 * H,)),
    ),
    r"R of GRU node here: expected \[1, 12, 4\], got \[1, 16, 4\]": (node("GRU"), arrays(3) | {"R": arrays(4)["R"]}),
    r"W of RNN node here: expected float16, float32 or float64, got torch.int64": (
        node("RNN"),
        {name: value.astype(np.int64) for name, value in arrays(1).items()},
    ),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_cell_does_is_refused(message):
    with pytest.raises(InputError, match=message) as caught:
        from_onnx(*REFUSED[message])
    assert "\n" not in str(caught.value)


def test_what_onnx_has_not_is_refused():
    with pytest.raises(
        InputError, match="cell: ONNX has no lstm_projected; it has gru, gru_reset_before, lstm, lstm_c"
    ):
        to_onnx(Recurrent(lstm_projected, 3, 4, projection_size=2))
    with pytest.raises(InputError, match="zoneout: ONNX has none"):
        to_onnx(Recurrent(lstm, 3, 4, zoneout={"c": 0.1}))
    with pytest.raises(
        InputError, match="ONNX takes one cell and one number of units for all of these, got gru 4, gru 5"
    ):
        to_onnx(Bidirectional(Recurrent(gru, 3, 4), Recurrent(gru, 3, 5, reverse=True)))
    with pytest.raises(ShapeError, match="dtype of the layer: expected float16, float32 or float64"):
        to_onnx(Recurrent(lstm, 3, 4).bfloat16())


def test_without_onnx_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("recurra.export.onnx_graph.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"recurra\[export\]"):
        to_onnx(Recurrent(lstm, 3, 4))
