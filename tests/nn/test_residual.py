"""Residual stacks: what a layer adds to its input, over every cell, in one and both directions."""

import pytest
import torch

from recurra.cells import CELLS
from recurra.errors import InputError
from recurra.nn import Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged, State

GRU = CELLS.get("gru")
every_cell = pytest.mark.parametrize("name", CELLS.names())
WAYS = ("one", "reverse", "concat", "sum", "mean", "mul")


def level(name, inputs, way, width=6):
    """A layer whose output has ``width`` features."""
    cell, units = CELLS.get(name), width // 2 if way == "concat" else width
    projected = units if cell.projects else 0

    def make(reverse=False):
        return Recurrent(cell, inputs, units + 1 if projected else units, projection_size=projected, reverse=reverse)

    return make(way == "reverse") if way in ("one", "reverse") else Bidirectional(make(), make(reverse=True), way)


def stack(name, way, **options):
    layers = [level(name, 3, way), level(name, 6, way), level(name, 6, way)]
    return Stack(layers, residual=True, **options).double()


def batch(*lengths):
    return Ragged.from_list([torch.randn(n, 3, dtype=torch.float64) for n in lengths])


def drawn(layer, rows):
    zeros = layer.initial_state(rows)
    return State({n: torch.rand_like(zeros[n]) + 0.1 for n in zeros})


@every_cell
@pytest.mark.parametrize("way", WAYS)
def test_output_is_input_plus_layer(name, way, close):
    layers, x = stack(name, way), batch(4, 0, 2, 4)
    start = drawn(layers, 4)
    y, state = layers(x, start)
    z, last = x, 0
    for i, layer in enumerate(layers.layers):
        made, after = layer(z, start.part(str(i)))
        z = made if i == 0 else z.with_values(z.values + made.values)
        last = last + layer.last(after)
    close(y.values, z.values)
    close(layers.last(state), last)


@every_cell
@pytest.mark.parametrize("way", WAYS)
def test_last_is_where_each_direction_ends(name, way, close):
    """Of one direction the output there; of two, side by side, each half's own end."""
    layers, x = stack(name, way), batch(5, 1)
    y, state = layers(x)
    last = layers.last(state)
    for b, sequence in enumerate(y.unbind()):
        if way in ("one", "reverse"):
            close(last[b], sequence[0 if way == "reverse" else -1])
        elif way == "concat":
            close(last[b], torch.cat([sequence[-1, :3], sequence[0, 3:]]))


@every_cell
def test_chunks_equal_the_whole_and_alone_equals_batched(name, close):
    layers, x = stack(name, "one"), batch(6, 3)
    y, final = layers(x)
    first = Ragged.from_list([x[0][:4], x[1][:0]])
    rest = Ragged.from_list([x[0][4:], x[1]])
    head, state = layers(first)
    tail, state = layers(rest, state)
    close(torch.cat([head[0], tail[0]]), y[0])
    close(tail[1], y[1])
    for n in final:
        close(state[n], final[n])
    for b in range(2):
        close(layers(x[[b]])[0].values, y[b])


@every_cell
def test_gradient_equals_central_differences(name):
    layers, x = Stack([level(name, 3, "concat", 4), level(name, 4, "one", 4)], residual=True).double(), batch(3, 1)

    def run(values):
        y, state = layers(x.with_values(values))
        return y.values, layers.last(state)

    assert torch.autograd.gradcheck(run, x.values.requires_grad_(), fast_mode=True)


def test_layers_of_another_width_add_nothing(close):
    layers = Stack([level("gru", 3, "one"), level("gru", 6, "one", 4), level("lstm", 4, "one", 4)], residual=True)
    assert [layers.adds(i) for i in range(3)] == [False, False, True]
    y, state = layers.double()(batch(3))
    close(layers.last(state), y.values[-1:])


def test_stacks_in_stacks(close):
    inner = Stack([level("gru", 6, "one"), level("lstm", 6, "one")], residual=True)
    outer, x = Stack([level("lstm", 3, "one"), inner], residual=True).double(), batch(4, 2)
    y, state = outer(x)
    z = outer.layers[0](x)[0]
    close(y.values, z.values + inner(z)[0].values)
    close(outer.last(state), torch.stack([sequence[-1] for sequence in y.unbind()]))


def test_what_is_added_is_not_dropped_out(close):
    layers, x = stack("gru", "one", dropout=1.0), batch(3)
    with torch.no_grad():
        for layer in layers.layers[1:]:
            for parameter in layer.parameters():
                parameter.zero_()
    y, state = layers(x)
    close(y.values, layers.layers[0](x)[0].values)
    close(layers.last(state), y.values[-1:])


def test_a_stack_with_nothing_to_add_is_refused():
    for layers in ([Recurrent(GRU, 4, 4)], [Recurrent(GRU, 3, 4), Recurrent(GRU, 4, 5)]):
        with pytest.raises(InputError, match="residual: expected a layer above the first that is as wide as its input"):
            Stack(layers, residual=True)
