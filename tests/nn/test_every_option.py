"""Every cell with every option: it trains, and what a sequence gives is its own affair.

Each option by itself runs without compiled kernels, all of them at once in one. An option that a cell
has no place for is refused; where that is follows from the cell's declaration.
"""

import math

import pytest
import torch

from recurra.cells import CELLS
from recurra.compile import watch, without_kernels
from recurra.errors import InputError
from recurra.nn import Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged

INPUT, HIDDEN = 3, 6
OPTIONS = {
    "nothing": {},
    "no bias": {"bias": False},
    "reverse": {"reverse": True},
    "recurrent dropout": {"recurrent_dropout": 0.3},
    "zoneout": {"zoneout": 0.2},
    "weight drop": {"weight_drop": 0.3},
    "clipped gradient": {"clip_gradient": 0.5},
    "learned state": {"learned_state": True},
    "forget bias": {"gate_bias": 2.0},
    "chrono": {"chrono": 20.0},
    "heads": {"heads": 2},
}
DRAWN = {"recurrent dropout": 0.3, "zoneout": 0.2, "weight drop": 0.3}
# Around the cell's layers: two directions, several layers, dropout.
AROUND = {
    **{merge: lambda cell, options, merge=merge: both(cell, INPUT, merge, **options)
       for merge in ("concat", "sum", "mean", "mul")},
    "dropout": lambda cell, options: stack(cell, options, dropout=0.4),
    "variational dropout": lambda cell, options: stack(cell, options, dropout=0.4, variational=True),
    "residual": lambda cell, options: stack(cell, options, residual=True),
    "another cell and width": lambda cell, options: Stack([one(cell, INPUT, **options), one(GRU, width(cell), 9)]),
}  # fmt: skip
GRU = CELLS.get("gru")
every_cell = pytest.mark.parametrize("name", CELLS.names())


def width(cell):
    return HIDDEN - 2 if cell.projects else HIDDEN


def one(cell, inputs, hidden=HIDDEN, **options):
    options = dict(options)
    if "gate_bias" in options:
        options["gate_bias"] = dict.fromkeys(cell.gates, options["gate_bias"])
    return Recurrent(cell, inputs, hidden, projection_size=hidden - 2 if cell.projects else 0, **options)


def both(cell, inputs, merge="concat", **options):
    options = {name: value for name, value in options.items() if name != "reverse"}
    return Bidirectional(one(cell, inputs, **options), one(cell, inputs, **options, reverse=True), merge)


def stack(cell, options, **around):
    layers = [one(cell, size, **options) for size in (INPUT, width(cell), width(cell))]
    return Stack(layers, **around)


def meaningless(cell, option):
    """Whether there is nothing in this cell that the option could act on."""
    matrices = [p for p in cell.params.values() if len(p.sizes) == 2]
    return {
        "recurrent dropout": not matrices,
        "weight drop": not matrices,
        "chrono": not cell.memory,
        "heads": not any(p.heads for p in matrices),
    }.get(option, False)


def batch(*lengths):
    return Ragged.from_list([torch.randn(n, INPUT) for n in lengths])


def check(layer, x, compiled, close):
    """One step of training, and sequences that do not know of each other, in training as in evaluation."""
    optimiser = torch.optim.SGD(layer.parameters(), 0.01)
    before = [p.detach().clone() for p in layer.parameters()]
    with watch() as seen:
        y, state = layer(x)
        (y.values.square().sum() + layer.last(state).sum()).backward()
    assert {ran.choice.path == "kernel" for ran in seen} == {compiled}
    assert all(p.grad is not None and p.grad.isfinite().all() for p in layer.parameters())
    optimiser.step()
    assert any(not torch.equal(p, b) for p, b in zip(layer.parameters(), before, strict=True))
    layer.zero_grad()

    layer.eval()
    y, state = layer(x)
    assert y.values.isfinite().all()
    for b in range(len(x)):
        alone, after = layer(x[[b]])
        close(alone.values, y[b])
        for n in state:
            close(after[n], state.select([b])[n])


@every_cell
@pytest.mark.parametrize("option", OPTIONS)
def test_every_option(name, option, close):
    cell = CELLS.get(name)
    if meaningless(cell, option):
        with pytest.raises(InputError, match=f"({cell.name} has no|for {cell.name})"):
            one(cell, INPUT, **OPTIONS[option])
        return
    with without_kernels():
        check(one(cell, INPUT, **OPTIONS[option]), batch(5, 0, 2, 7), False, close)


@every_cell
@pytest.mark.parametrize("around", AROUND)
def test_every_option_at_once(name, around, close):
    cell = CELLS.get(name)
    every = {k: v for option, values in OPTIONS.items() if not meaningless(cell, option) for k, v in values.items()}
    # Without a bias there is nothing for chrono to set, and both directions have their own.
    every = {k: v for k, v in every.items() if k not in ("bias", "reverse")}
    check(AROUND[around](cell, every), batch(4, 0, 6), True, close)


@every_cell
@pytest.mark.parametrize("option", DRAWN)
def test_what_is_drawn_does_not_know_the_other_sequences(name, option, close):
    cell = CELLS.get(name)
    if meaningless(cell, option):
        return
    layer, x, other = one(cell, INPUT, **OPTIONS[option]), batch(5, 3, 4), batch(9, 0, 1)
    among = Ragged.from_list([other[0], x[1], other[2]])

    def run(seed, batch):
        torch.manual_seed(seed)
        with without_kernels():
            return layer(batch)[0]

    close(run(1, among)[1], run(1, x)[1])
    assert not torch.equal(run(2, x).values, run(1, x).values)


@every_cell
def test_gradients_are_clipped_from_step_to_step(name):
    """However large what comes back, no state hands on more than the bound."""
    cell, bound = CELLS.get(name), 1e-3
    layer = one(cell, INPUT, clip_gradient=bound, learned_state=True)
    with without_kernels():
        y, _ = layer(batch(6))
    # A state that only comes out, such as qrnn's h, gets none.
    starts = list(layer.start.values())
    grads = torch.autograd.grad(1e6 * y.values[-1].sum(), starts, allow_unused=True, materialize_grads=True)
    assert all(grad.abs().max() <= bound * (1 + 1e-6) for grad in grads)
    assert any(grad.any() for grad in grads)


@every_cell
def test_chrono_and_gate_bias_are_where_they_were_asked_for(name):
    cell = CELLS.get(name)

    def biases(layer):
        """[G, H], as the gates see them."""
        if cell.shift:
            assert not layer.bias_ih.any()
        return (layer.params[cell.shift] if cell.shift else layer.bias_ih).view(len(cell.gates), -1)

    assert biases(one(cell, INPUT, gate_bias=0.25)).eq(0.25).all()
    if cell.memory:
        steps = biases(one(cell, INPUT, 400, chrono=50))
        for gate, sign in cell.memory.items():
            drawn = (sign * steps[cell.gates.index(gate)]).exp()
            assert drawn.min() >= 1 and drawn.max() <= 49 * (1 + 1e-5)
            assert math.isclose(drawn.mean().item(), 25, rel_tol=0.15)
