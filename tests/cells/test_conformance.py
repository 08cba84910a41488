"""What every cell must do, over every cell in the folder. A cell's own tests hold only its limit cases."""

import copy
import pickle
import re

import pytest
import torch
from torch.nn.functional import linear

from recurra import compile as compiler
from recurra.cells import CELLS
from recurra.compile import reference
from recurra.nn import Recurrent
from recurra.sequences import Ragged, State

LENGTHS = [[4, 0, 1, 3], [3, 3], [5], [1, 1, 1], [0, 2], [0, 0], [1], [0], []]
HIDDEN, INPUT = 5, 3

every_cell = pytest.mark.parametrize("name", CELLS.names())
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
any_lengths = pytest.mark.parametrize("lengths", LENGTHS, ids=str)


def make(name, reverse=False, dtype=torch.float64, bias=True, hidden=HIDDEN):
    """A layer whose every weight, biases included, is random."""
    cell = CELLS.get(name)
    layer = Recurrent(
        cell, INPUT, hidden, projection_size=hidden - 2 if cell.projects else 0, bias=bias, reverse=reverse
    )
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.to(dtype)


def batch(lengths, dtype=torch.float64):
    offsets = torch.tensor([0, *lengths]).cumsum(0)
    return Ragged(torch.randn(sum(lengths), INPUT, dtype=dtype), offsets)


def start(layer, rows):
    zeros = layer.initial_state(rows)
    drawn = {n: torch.randn_like(zeros[n]) for n in zeros.names}
    return State(
        {n: value.abs() + 0.5 if n == "n" else value for n, value in drawn.items()}
    )  # normalisers are positive


def run(layer, unroll, x, state):
    """Output and final states of one unrolling, and the gradient of their weighted sum to everything that enters."""
    weights = [layer.weight_ih, *([] if layer.bias_ih is None else [layer.bias_ih]), *layer.params.values()]
    values = x.values.detach().requires_grad_()
    initial = tuple(state[n].detach().requires_grad_() for n in state.names)
    y, finals = unroll(
        layer.cell, x.with_values(values), layer.weight_ih, layer.bias_ih, dict(layer.params), initial, layer.reverse
    )
    results = [y.values, *finals]
    draw = torch.Generator().manual_seed(1)
    total = sum((r * torch.randn(r.shape, generator=draw, dtype=r.dtype)).sum() for r in results)
    grads = torch.autograd.grad(total, [values, *initial, *weights], allow_unused=True, materialize_grads=True)
    return results, grads


@every_cell
@any_lengths
@both_ways
def test_layer_equals_a_loop_of_cell_steps(name, lengths, reverse, close):
    layer, x = make(name, reverse), batch(lengths)
    state = start(layer, len(lengths))
    y, finals = layer(x, state)
    assert y.values.shape == (sum(lengths), layer.output_size)
    for b, sequence in enumerate(x.unbind()):
        states = tuple(state[n][b : b + 1] for n in state.names)
        steps = range(len(sequence))
        for t in reversed(steps) if reverse else steps:
            wx = linear(sequence[t : t + 1], layer.weight_ih, layer.bias_ih)
            states = layer.cell(wx, *states, **dict(layer.params))
            close(y[b][t : t + 1], states[0])
        for name_, value in zip(state.names, states, strict=True):
            close(finals[name_][b : b + 1], value)
    close(layer.last(finals), finals[layer.cell.output])


@every_cell
@any_lengths
@both_ways
@pytest.mark.parametrize(
    ("dtype", "bias"),
    [(torch.float64, True), (torch.float64, False), (torch.float32, True)],
    ids=["float64", "no-bias", "float32"],
)
def test_chosen_path_equals_the_reference(name, lengths, reverse, dtype, bias, close):
    layer, x = make(name, reverse, dtype, bias), batch(lengths, dtype)
    state = start(layer, len(lengths))
    (results, grads), (expected, expected_grads) = (
        run(layer, u, x, state) for u in (compiler.unroll, reference.unroll)
    )
    for got, wanted in zip([*results, *grads], [*expected, *expected_grads], strict=True):
        close(got, wanted)


@every_cell
@both_ways
@pytest.mark.parametrize("unroll", [compiler.unroll, reference.unroll], ids=["path", "reference"])
@pytest.mark.parametrize("lengths", [[1, 0, 3], [3, 3]], ids=str)
def test_gradient_equals_central_differences(name, reverse, unroll, lengths):
    layer, x = make(name, reverse, hidden=3), batch(lengths)
    tensors = [x.values, layer.weight_ih, layer.bias_ih, *layer.params.values()]
    tensors += [start(layer, len(lengths))[n] for n in layer.cell.states]
    count = len(layer.params)

    def every(values, weight, bias, *rest):
        params = dict(zip(layer.params, rest[:count], strict=True))
        y, finals = unroll(layer.cell, x.with_values(values), weight, bias, params, rest[count:], reverse)
        return (y.values, *finals)

    # All entries for the reference; random combinations of them, which is faster, for what is compared with it above.
    fast = unroll is not reference.unroll
    assert torch.autograd.gradcheck(every, [t.detach().requires_grad_() for t in tensors], fast_mode=fast)


@every_cell
def test_reference_has_second_derivatives(name):
    layer, x = make(name, hidden=3), batch([3, 1])
    state = layer.initial_state(2)

    def output(values, weight):
        initial = tuple(state[n] for n in state.names)
        params = dict(layer.params)
        return reference.unroll(layer.cell, x.with_values(values), weight, None, params, initial, False)[0].values

    assert torch.autograd.gradgradcheck(output, [x.values.requires_grad_(), layer.weight_ih], fast_mode=True)


@every_cell
def test_chunks_equal_the_whole(name, close):
    layer, x = make(name), batch([7, 5])
    y, final = layer(x)
    state, pieces = None, []
    for cut in ([3, 0], [0, 4], [4, 1]):
        done = [sum(len(p[b]) for p in pieces) for b in range(2)]
        chunk = Ragged.from_list([x[b][done[b] : done[b] + cut[b]] for b in range(2)])
        piece, state = layer(chunk, state)
        pieces.append(piece)
    for b in range(2):
        close(torch.cat([p[b] for p in pieces]), y[b])
    for n in final.names:
        close(state[n], final[n])


@every_cell
@both_ways
def test_alone_equals_batched(name, reverse, close):
    layer, x = make(name, reverse), batch([6, 2, 0, 3])
    state = start(layer, 4)
    y, final = layer(x, state)
    for b in range(4):
        alone, alone_final = layer(x[[b]], state.select([b]))
        close(alone.values, y[b])
        for n in final.names:
            close(alone_final[n], final.select([b])[n])


@every_cell
@pytest.mark.parametrize("lengths", [[4, 1, 0], [3, 3]], ids=str)
def test_reverse_equals_flip(name, lengths, close):
    ahead, back, x = make(name), make(name, reverse=True), batch(lengths)
    back.load_state_dict(ahead.state_dict())
    state = start(ahead, len(lengths))
    (y, final), (mirrored, mirrored_final) = back(x, state), ahead(x.reversed(), state)
    close(y.values, mirrored.reversed().values)
    for n in final.names:
        close(final[n], mirrored_final[n])


@every_cell
def test_state_survives_a_round_trip(name, close):
    layer, x = make(name), batch([3, 2])
    _, state = layer(x)
    again = State.from_bytes(state.to_bytes())
    assert again.names == layer.cell.states
    y, _ = layer(x, state)
    close(layer(x, again)[0].values, y.values)


@every_cell
def test_inputs_are_not_changed_and_may_be_views(name, close):
    layer, lengths = make(name), [2, 3]
    wide = torch.randn(5, 2 * INPUT, dtype=torch.float64)
    view, before = Ragged(wide[:, ::2], batch(lengths).offsets), wide.clone()
    for x in (view, Ragged(wide[:4, ::2], torch.tensor([0, 2, 4]))):
        close(layer(x)[0].values, layer(x.with_values(x.values.contiguous()))[0].values)
    assert torch.equal(wide, before)


@every_cell
def test_a_copy_keeps_its_path(name):
    layer, x = make(name), batch([2])
    for twin in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert twin.cell is layer.cell
        assert compiler.path(twin.cell, x) == compiler.path(layer.cell, x)


@every_cell
def test_start_values(name):
    cell = CELLS.get(name)
    layer = Recurrent(cell, INPUT, HIDDEN, projection_size=HIDDEN - 2 if cell.projects else 0)
    for gate, block in zip(cell.gates, layer.bias_ih.split(HIDDEN), strict=True):
        assert block.eq(cell.bias.get(gate, 0.0)).all()
    bound = (6 / (HIDDEN + INPUT)) ** 0.5
    assert layer.weight_ih.abs().max() <= bound
    assert layer.weight_ih.abs().max() > bound / 2
    for name_, declared in cell.params.items():
        value = layer.params[name_]
        if isinstance(declared.init, tuple):
            low, high = declared.init
            assert low <= value.min() < value.max() <= high
        elif isinstance(declared.init, float):
            assert value.eq(declared.init).all()
        else:
            for block in value.split(value.shape[0] if declared.sizes[0] == "R" else HIDDEN):
                gram = block.T @ block if block.shape[0] >= block.shape[1] else block @ block.T
                assert torch.allclose(gram, torch.eye(len(gram)), atol=1e-5)


@every_cell
def test_its_docstring_says_equations_and_source(name):
    cell = CELLS.get(name)
    module = __import__(cell.__module__, fromlist=["_"])
    assert re.search(r"h' += ", module.__doc__)
    assert "https://" in module.__doc__
    assert "Returns h'" in cell.__doc__
