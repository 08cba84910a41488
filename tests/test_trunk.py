"""The trunk's settings: layers that are alike or each of its own, and what a run folder keeps of them."""

import tomllib

import pandas as pd
import pytest
import tomli_w

import recurra
from recurra.config import from_dict, to_dict
from recurra.errors import InputError, UnknownNameError
from recurra.nn import Bidirectional
from recurra.trunk import TrunkConfig


def kept(trunk):
    """As config.toml brings it back."""
    return from_dict(TrunkConfig, tomllib.loads(tomli_w.dumps(to_dict(trunk))))


def built(trunk):
    layers = [getattr(layer, "forwards", layer) for layer in trunk.build(5).layers]
    return [(layer.cell.name, layer.input_size, layer.hidden_size) for layer in layers]


def test_layers_alike():
    trunk = TrunkConfig(cell="gru", layers=3, hidden=4)
    assert built(trunk) == [("gru", 5, 4), ("gru", 4, 4), ("gru", 4, 4)]
    assert to_dict(trunk)["hidden"] == 4 and to_dict(trunk)["cell"] == "gru"
    assert kept(trunk) == trunk


@pytest.mark.parametrize(
    ("settings", "layers"),
    [
        ({"cell": ("gru", "lstm"), "hidden": (7, 4)}, [("gru", 5, 7), ("lstm", 7, 4)]),
        ({"cell": ("gru", "lstm"), "hidden": 4, "layers": 2}, [("gru", 5, 4), ("lstm", 4, 4)]),
        ({"cell": "gru", "hidden": (7, 4, 3)}, [("gru", 5, 7), ("gru", 7, 4), ("gru", 4, 3)]),
        ({"cell": ("lstm-projected", "rnn_tanh"), "hidden": 8}, [("lstm_projected", 5, 8), ("rnn_tanh", 4, 8)]),
        ({"cell": ("gru",), "hidden": (7,)}, [("gru", 5, 7)]),
    ],
    ids=str,
)
def test_each_layer_of_its_own(settings, layers):
    trunk = TrunkConfig(**settings)
    assert built(trunk) == layers
    assert kept(trunk) == trunk


def test_both_directions_and_residual():
    stack = TrunkConfig(cell=("gru", "lstm"), hidden=4, bidirectional=True, residual=True).build(5)
    assert all(isinstance(layer, Bidirectional) for layer in stack.layers)
    assert [stack.adds(i) for i in range(2)] == [False, True]


def test_a_gates_bias_is_for_the_layers_that_have_the_gate():
    stack = TrunkConfig(cell=("gru", "lstm"), hidden=4, gate_bias={"f": 2.0, "z": 3.0}).build(5)
    below, above = stack.layers
    assert (below.gate_bias["z"], above.gate_bias["f"]) == (3.0, 2.0)
    with pytest.raises(UnknownNameError, match="gate of gru, lstm 'q'"):
        TrunkConfig(cell=("gru", "lstm"), gate_bias={"q": 1.0}).build(5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": ("gru", "lstm"), "hidden": (1, 2, 3)}, "one entry for each layer in a list, got cell .*, layers 1"),
        ({"hidden": (1, 2), "layers": 3}, "one entry for each layer"),
        ({"hidden": (1,), "layers": 3}, "one entry for each layer"),
        ({"hidden": (4, 0)}, "trunk.hidden: expected at least 1"),
        ({"hidden": ()}, "trunk.hidden: expected at least 1"),
    ],
)
def test_lists_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(InputError, match=message):
        TrunkConfig(**settings)


def test_a_run_of_two_kinds_of_layers(tmp_path):
    rows = pd.DataFrame({"review": [f"{'good' if i % 2 else 'bad'} film {i}" for i in range(40)]})
    rows["stars"] = ["up" if i % 2 else "down" for i in range(40)]
    options = {"cell": ["gru", "lstm", "gru"], "hidden": [6, 4, 4], "residual": True, "epochs": 1, "device": "cpu"}
    run = recurra.train("sentiment", rows, out=tmp_path / "run", text="review", label="stars", **options)
    again = recurra.load(tmp_path / "run")
    assert again.config == run.config
    assert again.predict(["good film"]) == run.predict(["good film"])
    command = run.events[0]["command"]
    assert "--set cell=gru,lstm,gru --set hidden=6,4,4" in command
    assert "3 residual bidirectional GRU, LSTM, GRU layers of 6, 4, 4 units" in (run.path / "report.html").read_text()
