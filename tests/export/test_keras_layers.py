"""Keras' own layers, with its torch backend: outputs of sequences of several lengths, to 1e-5 in float32."""

import os

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as some
from torch.nn.utils.rnn import pad_sequence

from recurra.cells.gru import gru
from recurra.cells.gru_reset_before import gru_reset_before
from recurra.cells.lstm import lstm
from recurra.cells.mgu import mgu
from recurra.cells.rnn_relu import rnn_relu
from recurra.cells.rnn_tanh import rnn_tanh
from recurra.errors import InputError, MissingExtraError
from recurra.export import from_keras, keras_weights, to_keras
from recurra.nn import Bidirectional, ConvLSTM, Recurrent, Stack
from recurra.sequences import Ragged

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras")

INPUT, H = 3, 4
LENGTHS = (5, 1, 7, 2)
KERAS = {
    "SimpleRNN": {},
    "SimpleRNN relu": {"activation": "relu"},
    "LSTM": {},
    "GRU": {"reset_after": True},
    "GRU before": {"reset_after": False},
}
CELLS = (rnn_tanh, rnn_relu, lstm, gru, gru_reset_before)
every_kind = pytest.mark.parametrize("kind", KERAS)
every_cell = pytest.mark.parametrize("cell", CELLS, ids=lambda cell: cell.name)


def made(kind, **options):
    """A layer of Keras; its biases start at zero, so all weights are drawn anew."""
    layer = getattr(keras.layers, kind.split()[0])(H, **{**KERAS[kind], **options})
    return drawn(layer)


def drawn(layer):
    layer.build((None, None, INPUT))
    layer.set_weights([np.random.default_rng(i).normal(size=w.shape) for i, w in enumerate(layer.get_weights())])
    return layer


def batch():
    return Ragged.from_list([torch.randn(length, INPUT) for length in LENGTHS])


def called(layer, x):
    """What Keras makes of each sequence alone, and of all of them in one masked batch."""
    alone = [torch.as_tensor(layer(sequence[None].numpy()))[0].detach().cpu() for sequence in x.unbind()]
    mask = pad_sequence([torch.ones(len(sequence), dtype=torch.bool) for sequence in x.unbind()], batch_first=True)
    padded = pad_sequence(list(x.unbind()), batch_first=True)
    together = torch.as_tensor(layer(padded.numpy(), mask=mask.numpy())).detach().cpu()
    return alone, together


@every_kind
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("backwards", [False, True])
def test_from_keras(kind, bias, backwards, close):
    theirs = made(kind, use_bias=bias, go_backwards=backwards, return_sequences=True)
    layer, x = from_keras(theirs), batch()
    assert layer.reverse is backwards
    y, _ = layer(x)
    alone, together = called(theirs, x)
    for i, (mine, output) in enumerate(zip(y.unbind(), alone, strict=True)):
        # Reading backwards, Keras gives outputs in the order it read.
        close(mine, output.flip(0) if backwards else output)
        if not backwards:
            close(mine, together[i, : len(mine)])


@every_kind
@pytest.mark.parametrize("merge", ["concat", "sum", "ave", "mul"])
def test_from_keras_in_both_directions(kind, merge, close):
    theirs = drawn(keras.layers.Bidirectional(made(kind, return_sequences=True), merge_mode=merge))
    layer, x = from_keras(theirs), batch()
    y, _ = layer(x)
    alone, together = called(theirs, x)
    for i, (mine, output) in enumerate(zip(y.unbind(), alone, strict=True)):
        close(mine, output)
        close(mine, together[i, : len(mine)])


@every_cell
@settings(max_examples=8)
@given(some.data())
def test_to_keras_and_back(cell, close, data):
    bias, both = data.draw(some.booleans()), data.draw(some.booleans())
    merge = data.draw(some.sampled_from(["concat", "sum", "mean", "mul"]))
    layer = Recurrent(cell, INPUT, H, bias=bias)
    if both:
        layer = Bidirectional(layer, Recurrent(cell, INPUT, H, reverse=True, bias=bias), merge)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = Ragged.from_list([torch.randn(n, INPUT) for n in data.draw(some.lists(some.integers(1, 6), min_size=1))])
    y, state = layer(x)
    outputs, lasts = to_keras(layer), to_keras(layer, return_sequences=False)
    for mine, last, sequence in zip(y.unbind(), layer.last(state), x.unbind(), strict=True):
        close(mine, torch.as_tensor(outputs(sequence[None].numpy()))[0].detach())
        close(last, torch.as_tensor(lasts(sequence[None].numpy()))[0].detach())
    back = from_keras(outputs).state_dict()
    assert all(torch.equal(weight, back[name]) for name, weight in layer.state_dict().items())


@every_cell
def test_keras_weights_fit_a_layer_of_keras(cell):
    layer = Recurrent(cell, INPUT, H)
    weights, theirs = keras_weights(layer), to_keras(layer).get_weights()
    assert [w.shape for w in weights] == [w.shape for w in theirs]
    assert all(np.array_equal(a, b) for a, b in zip(weights, theirs, strict=True))


def test_double_precision_stays(close):
    layer, x = Recurrent(lstm, INPUT, H).double(), batch()
    theirs = to_keras(layer)
    x = x.with_values(x.values.double())
    close(layer(x)[0][0], torch.as_tensor(theirs(x[0][None].numpy()))[0].detach())
    assert from_keras(theirs).weight_ih.dtype == torch.float64


def test_a_saved_model_is_read(tmp_path, close):
    """The way a user comes: layers out of a file that Keras wrote."""
    model = keras.Sequential([keras.Input((None, INPUT)), keras.layers.GRU(H, return_sequences=True)])
    model.add(keras.layers.Bidirectional(keras.layers.LSTM(H, return_sequences=True)))
    model.save(tmp_path / "model.keras")
    read = keras.saving.load_model(tmp_path / "model.keras")
    stack, x = Stack([from_keras(layer) for layer in read.layers]), batch()
    for mine, sequence in zip(stack(x)[0].unbind(), x.unbind(), strict=True):
        close(mine, torch.as_tensor(model(sequence[None].numpy()))[0].detach())


REFUSED = {
    r"no cell is a LSTM with activation=tanh, recurrent_activation=hard_sigmoid": lambda: made(
        "LSTM", recurrent_activation="hard_sigmoid"
    ),
    r"no cell is a SimpleRNN with activation=elu": lambda: made("SimpleRNN", activation="elu"),
    r"expected a Keras SimpleRNN, LSTM, GRU or Bidirectional, got Dense": lambda: keras.layers.Dense(3),
    r"has no weights yet": lambda: keras.layers.GRU(3),
    r"merge_mode: expected one of": lambda: keras.layers.Bidirectional(keras.layers.GRU(3), merge_mode=None),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_no_cell_does_is_refused(message):
    with pytest.raises(InputError, match=message) as caught:
        from_keras(REFUSED[message]())
    assert "\n" not in str(caught.value)


def test_what_keras_has_not_is_refused():
    with pytest.raises(InputError, match="cell: Keras has no mgu; it has gru, gru_reset_before, lstm"):
        to_keras(Recurrent(mgu, 3, 4))
    with pytest.raises(InputError, match="got a Stack; take"):
        to_keras(Stack([Recurrent(lstm, 3, 4)]))
    with pytest.raises(InputError, match=r"dtype of the layer: expected float16, float32 or float64"):
        to_keras(Recurrent(lstm, 3, 4).bfloat16())


def test_without_keras_the_extra_is_named(monkeypatch):
    monkeypatch.setattr("recurra.export.keras_layers.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"recurra\[keras\]"):
        to_keras(Recurrent(lstm, 3, 4))


def test_convolutional_lstm_is_kerass(close):
    layer, x = ConvLSTM(2, 3, 3), Ragged.from_list([torch.randn(4, 2, 5, 6), torch.randn(4, 2, 5, 6)])
    theirs = keras.layers.ConvLSTM2D(
        3, 3, padding="same", return_sequences=True, data_format="channels_last", recurrent_activation="sigmoid"
    )
    theirs.build((None, None, 5, 6, 2))
    torch.nn.init.normal_(layer.bias_ih)
    matrices = [weight.permute(2, 3, 1, 0) for weight in (layer.weight_ih, layer.params["U"])]
    theirs.set_weights([weight.detach().numpy() for weight in (*matrices, layer.bias_ih)])
    given = x.to_padded().movedim(2, -1).numpy()
    got = torch.as_tensor(keras.ops.convert_to_numpy(theirs(given))).movedim(-1, 2)
    close(layer(x)[0].to_padded(), got)
