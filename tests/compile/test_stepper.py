"""Rows that go on step by step, compiled and not, against each other and against ``unroll``."""

import pytest
import torch

from recurra import compile as compiler
from recurra.cells import CELLS, Vector, cell
from recurra.compile import Affine, Recurrence, stepper
from recurra.compile.chain import Chain
from recurra.compile.stepper import Unrolled
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout


@cell(gates=("a", "b"), states=("h", "seen"))
def bare(wx, h, seen):
    """No parameter of its own, and half of what enters is not used."""
    a, _ = wx.chunk(2, dim=-1)
    return (a + 0.5 * h).tanh(), seen + 1


@cell(gates=("a",), states=("h",))
def leaky(wx, h, *, keep=Vector("H", init=0.9)):
    return keep * h + (1 - keep) * wx.relu()


CASES = [bare, leaky, *CELLS.all().values()]
every_case = pytest.mark.parametrize("c", CASES, ids=lambda c: c.name)


def recurrence(c, inputs, hidden, capacity, dtype=torch.float64, bias=True):
    projected = max(1, hidden - 2) if c.projects else 0
    params = {n: torch.randn(s, dtype=dtype) / 3 for n, s in c.parameter_shapes(hidden, projected).items()}
    weight_ih = torch.randn(len(c.gates) * hidden, inputs, dtype=dtype) / 3
    bias_ih = torch.randn(len(c.gates) * hidden, dtype=dtype) if bias else None
    states = tuple(torch.randn(capacity, size, dtype=dtype) for size in c.sizes(hidden, projected).values())
    return Recurrence(c, weight_ih, bias_ih, params, states)


def twin(layer):
    if isinstance(layer, Affine):
        return layer
    states = tuple(s.clone() for s in layer.states)
    return Recurrence(layer.cell, layer.weight_ih, layer.bias_ih, layer.params, states)


@every_case
@pytest.mark.parametrize(("inputs", "hidden"), [(1, 2), (3, 5), (16, 8), (40, 33)])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_compiled_equals_unrolled(c, inputs, hidden, bias, close):
    below = recurrence(c, inputs, hidden, 4, bias=bias)
    output = below.states[0].shape[1]
    weight, offset = torch.randn(3, output).double(), torch.randn(3).double()
    layers = [below, recurrence(CELLS.get("gru"), output, output, 4), Affine(weight, offset if bias else None)]
    same = [twin(layer) for layer in layers]
    compiled, unrolled = stepper(layers), Unrolled(same, compiler.unroll)
    assert isinstance(compiled, Chain)
    assert compiled.one is not None
    # Rows in any order, several steps of several rows, nothing at all, and the first row alone.
    for slots, steps in [((2, 0), 1), ((3,), 4), ((1, 3, 0), 5), ((), 1), ((0,), 0), ((0, 1, 2, 3), 1)]:
        x = torch.randn(len(slots) * steps, inputs).double()
        close(compiled(x, slots, steps), unrolled(x, slots, steps))
    x = torch.randn(inputs).double()
    close(compiled.one(x), unrolled(x[None], (0,), 1)[0])
    for layer, other in zip(layers[:2], same[:2], strict=True):
        for state, expected in zip(layer.states, other.states, strict=True):
            close(state, expected)


@every_case
def test_equals_unroll(c, close):
    layer = recurrence(c, 3, 6, 2)
    x = Ragged.of_layout(torch.randn(8, 3).double(), Layout.of_equal(2, 4, torch.device("cpu")))
    weights = layer.weight_ih, layer.bias_ih, layer.params
    expected, finals = compiler.unroll(c, x, *weights, tuple(s.clone() for s in layer.states), False)
    close(stepper([layer])(x.values, (0, 1), 4), expected.values)
    for state, final in zip(layer.states, finals, strict=True):
        close(state, final)


def test_types_that_differ_are_not_compiled():
    layers = [recurrence(leaky, 3, 4, 1), recurrence(leaky, 4, 4, 1, torch.float32)]
    assert isinstance(stepper(layers), Unrolled)
    assert isinstance(stepper([recurrence(leaky, 3, 4, 1, torch.bfloat16)]), Unrolled)


def test_a_step_outlives_what_made_it():
    layer = recurrence(CELLS.get("lstm"), 3, 8, 1)
    expected = stepper([twin(layer)])(torch.ones(1, 3).double(), (0,), 1)[0]
    one = stepper([layer]).one
    rubbish = [torch.randn(64, 64) for _ in range(50)]
    assert torch.equal(one(torch.ones(3).double()), expected)
    assert rubbish
