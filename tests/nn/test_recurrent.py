"""Recurrent, Bidirectional and Stack: how they nest, merge, drop out and carry state."""

import pytest
import torch

from recurra.cells.gru import gru
from recurra.cells.lstm import lstm
from recurra.cells.lstm_projected import lstm_projected
from recurra.errors import InputError, UnknownNameError
from recurra.nn import LSTM, Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged, State


def both(merge="concat", size=3):
    return Bidirectional(Recurrent(gru, size, 4), Recurrent(gru, size, 4, reverse=True), merge)


@pytest.fixture
def x():
    return Ragged.from_list([torch.randn(n, 3) for n in (5, 0, 2)])


@pytest.mark.parametrize(
    ("merge", "function"),
    [
        ("concat", lambda a, b: torch.cat([a, b], -1)),
        ("sum", lambda a, b: a + b),
        ("mean", lambda a, b: (a + b) / 2),
        ("mul", lambda a, b: a * b),
    ],
)
def test_merge(merge, function, x, close):
    layer = both(merge)
    y, state = layer(x)
    ahead, ahead_state = layer.forwards(x)
    back, back_state = layer.backwards(x)
    close(y.values, function(ahead.values, back.values))
    assert layer.output_size == y.values.shape[1] == (8 if merge == "concat" else 4)
    close(layer.last(state), function(ahead_state["h"], back_state["h"]))
    # The backward layer ends at the first step.
    close(layer.last(state)[0], function(ahead[0][-1], back[0][0]))


def test_stack_is_layer_after_layer(x, close):
    stack = Stack([both(), Recurrent(lstm, 8, 5), both("sum", size=5)])
    start = stack.initial_state(3)
    start = State({n: torch.randn_like(start[n]) for n in start})
    y, state = stack(x, start)
    z = x
    for i, layer in enumerate(stack.layers):
        z, part = layer(z, start.part(str(i)))
        for n in part:
            close(state[f"{i}.{n}"], part[n])
    close(y.values, z.values)
    close(stack.last(state), stack.layers[-1].last(part))
    assert (stack.input_size, stack.output_size) == (3, 4)
    assert state.names == ("0.forward.h", "0.backward.h", "1.h", "1.c", "2.forward.h", "2.backward.h")


def test_stack_equals_the_drop_in(x, close):
    dropin = LSTM(3, 4, num_layers=2)
    stack = Stack([Recurrent(lstm, 3, 4), Recurrent(lstm, 4, 4)])
    with torch.no_grad():
        for i, layer in enumerate(stack.layers):
            layer.weight_ih.copy_(dropin.get_parameter(f"weight_ih_l{i}"))
            layer.params["U"].copy_(dropin.get_parameter(f"weight_hh_l{i}"))
            layer.bias_ih.copy_(dropin.get_parameter(f"bias_ih_l{i}") + dropin.get_parameter(f"bias_hh_l{i}"))
    (y, state), (expected, (h, c)) = stack(x), dropin(x)
    close(y.values, expected.values)
    for i in range(2):
        close(state[f"{i}.h"], h[i])
        close(state[f"{i}.c"], c[i])


def test_dropout_between_layers_while_training(x):
    stack = Stack([Recurrent(gru, 3, 4), Recurrent(gru, 4, 4)], dropout=1.0)
    with torch.no_grad():
        stack.layers[1].bias_ih.fill_(1.0)
    first, state = stack(x)
    assert torch.equal(state["0.h"], stack.layers[0](x)[1]["h"])
    nothing, _ = stack.layers[1](x.with_values(torch.zeros(7, 4)))
    assert torch.equal(first.values, nothing.values)
    stack.eval()
    assert not torch.equal(stack(x)[0].values, nothing.values)


def test_state_none_is_the_initial_state(x, close):
    layer = Recurrent(lstm, 3, 4).double()
    x = x.to(torch.float64)
    start = layer.initial_state(3)
    assert start["c"].dtype == torch.float64
    close(layer(x)[0].values, layer(x, start)[0].values)


def test_weights_round_trip_and_one_layer_is_named_plainly():
    layer = Recurrent(gru, 3, 4)
    assert list(layer.state_dict()) == ["weight_ih", "bias_ih", "params.U", "params.b"]
    assert list(Recurrent(gru, 3, 4, bias=False).state_dict()) == ["weight_ih", "params.U", "params.b"]
    assert repr(Recurrent(lstm_projected, 3, 4, projection_size=2, bias=False, reverse=True)).startswith(
        "Recurrent(\n  lstm_projected, 3, 4, projection_size=2, bias=False, reverse=True"
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Recurrent(gru, 0, 4), "input_size: expected a positive integer, got 0"),
        (lambda: Recurrent(gru, 3, True), "hidden_size: expected a positive integer, got True"),
        (
            lambda: Recurrent(gru, 3, 4, projection_size=2),
            "projection_size: expected 0, as gru has no projection, got 2",
        ),
        (lambda: Recurrent(lstm_projected, 3, 4), "projection_size: expected 1 to 3 for lstm_projected, got 0"),
        (lambda: Stack([]), "layers: expected at least one"),
        (lambda: Stack([Recurrent(gru, 3, 4), Recurrent(gru, 3, 4)]), r"layers\[1\].input_size: expected 4, got 3"),
        (lambda: Stack([Recurrent(gru, 3, 4)], dropout=-0.1), "dropout: expected a probability"),
        (lambda: Bidirectional(Recurrent(gru, 3, 4), Recurrent(gru, 3, 4)), "reverse=True"),
        (
            lambda: Bidirectional(Recurrent(gru, 3, 4), Recurrent(gru, 2, 4, reverse=True)),
            "input_size: expected 3, got 2",
        ),
        (
            lambda: Bidirectional(Recurrent(gru, 3, 4), Recurrent(gru, 3, 5, reverse=True), "sum"),
            "output_size with merge 'sum': expected 4, got 5",
        ),
        (lambda: Recurrent(gru, 3, 4)(Ragged.from_list([torch.zeros(2, 5)])), r"x: expected \[N, 3\] .* got \[2, 5\]"),
        (lambda: Recurrent(gru, 3, 4)(Ragged.from_list([torch.zeros(2, 3).double()])), "float32 on cpu, got .*float64"),
        (
            lambda: Recurrent(gru, 3, 4)(Ragged.from_list([torch.zeros(2, 3)]), State({"h": torch.zeros(2, 4)})),
            r"state h: expected \[1, 4\] .* got \[2, 4\]",
        ),
    ],
)
def test_misuse_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)


def test_unknown_names_are_refused():
    with pytest.raises(UnknownNameError, match="did you mean 'concat'"):
        both("concatenate")
    x = Ragged.from_list([torch.zeros(2, 3)])
    with pytest.raises(UnknownNameError, match="unknown state 'c'"):
        Recurrent(lstm, 3, 4)(x, State({"h": torch.zeros(1, 4)}))
    with pytest.raises(UnknownNameError, match="part of the state 'backward'"):
        both()(x, State({"forward.h": torch.zeros(1, 4)}))


def test_directions_of_several_layers_each_hear_nothing_of_the_other():
    ahead = Stack([Recurrent(gru, 3, 4), Recurrent(gru, 4, 5)])
    back = Stack([Recurrent(gru, 3, 4, reverse=True), Recurrent(gru, 4, 6, reverse=True)])
    both, x = Bidirectional(ahead, back), Ragged.from_list([torch.randn(6, 3), torch.randn(2, 3)])
    y, state = both(x)
    assert torch.equal(y.values, torch.cat([ahead(x)[0].values, back(x)[0].values], 1))
    assert torch.equal(both.last(state)[:, :5], ahead.last(state.part("forward")))
    assert (ahead.reverse, back.reverse, both.reverse, Stack([both]).reverse) == (False, True, None, None)
    with pytest.raises(InputError, match="expected one layer with reverse=False and one with reverse=True"):
        Bidirectional(ahead, Stack([Recurrent(gru, 3, 4, reverse=True), Recurrent(gru, 4, 6)]))
