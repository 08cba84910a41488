"""How gradients flow: the figures against what is known by construction."""

import math

import pytest
import torch

import recurra
from recurra.cells import CELLS, cell
from recurra.nn import Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged
from recurra.training.health import health


@cell(gates=("a",), states=("h",))
def halving(wx, h):
    return 0.5 * h + wx


@cell(gates=("a",), states=("h",))
def growing(wx, h):
    return 2.0 * h + wx


def batch(*lengths, features=3):
    return Ragged.from_list([torch.randn(n, features) for n in lengths])


@pytest.mark.parametrize("reverse", [False, True])
def test_the_flow_of_a_cell_that_halves(reverse):
    (found,) = health(Recurrent(halving, 3, 4, reverse=reverse), batch(6, 2, 0, 4)).layers
    assert found.flow == pytest.approx([0.5**k for k in range(6)])
    assert found.memory == 2.0
    assert found.nan is None
    assert not found.saturated


def test_exploding_gradients_are_said():
    found = health(Recurrent(growing, 3, 4), batch(9))
    assert found.layers[0].memory == math.inf
    assert "gradients reach all 9 steps back, growing 2.6e+02 times" in str(found)


def test_an_open_forget_gate_lets_gradients_through_and_a_plain_rnn_does_not():
    torch.manual_seed(0)
    x = batch(60, 60)
    flows = {}
    for name, options in (("rnn-tanh", {}), ("lstm", {"gate_bias": {"f": 4.0}})):
        layer = Recurrent(CELLS.get(name), 3, 32, **options)
        if name == "rnn-tanh":
            layer.params["U"].data.mul_(0.8)
        flows[name] = health(layer, x).layers[0].flow
    assert flows["rnn-tanh"][40] < 1e-3
    assert flows["lstm"][40] > 0.05


def test_saturated_gates_are_counted():
    layer = Recurrent(CELLS.get("lstm"), 3, 4, gate_bias={"f": 20.0, "i": -20.0, "o": 0.0})
    layer.weight_ih.data.mul_(0.01)
    (found,) = health(layer, batch(5)).layers
    assert found.saturated == {"i": 1.0, "f": 1.0, "g": 0.0, "o": 0.0}


def test_the_first_thing_that_is_no_number_is_named():
    layer, x = Recurrent(CELLS.get("lstm"), 3, 4), batch(7, 5)
    x.values[3, 1] = math.nan
    (found,) = health(layer, x).layers
    assert found.nan == ("i", 3)
    assert "i is no number any more at step 3" in str(found)


def test_every_layer_of_a_network_is_looked_at_and_nothing_changes():
    lstm = CELLS.get("lstm")
    both = Bidirectional(Recurrent(lstm, 3, 4), Recurrent(lstm, 3, 4, reverse=True))
    network = Stack([both, Recurrent(CELLS.get("gru"), 8, 5)], dropout=0.5)
    before = [p.clone() for p in network.parameters()]
    found = recurra.health(network, batch(4, 3))
    assert [layer.name for layer in found.layers] == ["layers.0.forwards", "layers.0.backwards", "layers.1"]
    assert network.training
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), before, strict=True))


@pytest.mark.parametrize("name", CELLS.names())
def test_every_cell(name):
    c = CELLS.get(name)
    layer = Recurrent(c, 3, 8, projection_size=3 if c.projects else 0)
    (found,) = health(layer, batch(5, 2)).layers
    assert len(found.flow) == 5
    assert found.flow[0] == pytest.approx(1.0)
    assert all(math.isfinite(norm) for norm in found.flow)
