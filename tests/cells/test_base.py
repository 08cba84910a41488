"""A cell's declaration: what it says, and that a malformed one is refused where it is written."""

import pickle

import pytest
import torch

from recurra.cells import CELLS, Matrix, Vector, cell, linear
from recurra.errors import InputError
from recurra.nn import Recurrent, Stack
from recurra.sequences import Ragged


@cell(gates=("f", "g"), states={"h": "R", "c": "H"}, bias={"f": 2.0})
def coupled(wx, h, c, *, U=Matrix("2H", "R"), V=Matrix("R", "H", init="xavier"), p=Vector("H", init=0.5)):
    """A cell that nobody ships: the input gate is one minus the forget gate, with a peephole and a projection."""
    f, g = (wx + linear(h, U)).chunk(2, dim=-1)
    f = (f + p * c).sigmoid()
    c = f * c + (1 - f) * g.relu()
    return linear(c, V), c


def test_what_a_cell_says_of_itself():
    assert (coupled.name, coupled.gates, coupled.states, coupled.output) == ("coupled", ("f", "g"), ("h", "c"), "h")
    assert coupled.sizes(5, 3) == {"h": 3, "c": 5}
    assert coupled.parameter_shapes(5, 3) == {"U": (10, 3), "V": (3, 5), "p": (5,)}
    assert coupled.projects
    assert coupled.params["p"].init == 0.5
    assert coupled.equations.__name__ == "coupled"
    assert coupled.__doc__.startswith("A cell that nobody ships")
    assert pickle.loads(pickle.dumps(coupled)) is coupled


def test_a_cell_always_returns_a_tuple():
    for c in CELLS.all().values():
        states = [torch.zeros(2, size) for size in c.sizes(4, 3).values()]
        params = {n: torch.zeros(s) for n, s in c.parameter_shapes(4, 3).items()}
        new = c(torch.zeros(2, 4 * len(c.gates)), *states, **params)
        assert isinstance(new, tuple)
        assert [s.shape for s in new] == [s.shape for s in states]


def test_ones_own_cell_trains_in_a_stack():
    stack = Stack([Recurrent(coupled, 2, 6, projection_size=4), Recurrent(coupled, 4, 6, projection_size=3)])
    first = stack.layers[0]
    assert first.bias_ih.tolist() == [2.0] * 6 + [0.0] * 6
    assert first.params["p"].tolist() == [0.5] * 6
    x = Ragged.from_list([torch.randn(5, 2), torch.randn(2, 2)])
    losses, weights = [], list(stack.parameters())
    for _ in range(60):
        loss = (stack.last(stack(x)[1]) - 1).square().mean()
        losses.append(loss.item())
        with torch.no_grad():
            for weight, grad in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight -= 0.2 * grad
    assert losses[-1] < 0.1 * losses[0]


def no_states(wx):
    return wx


def one(wx, h):
    return wx + h


def undeclared(wx, h, *, U):
    return wx + linear(h, U)


def swallows(wx, h, **params):
    return wx + h


def bad_size(wx, h, *, U=Matrix("3K", "H")):
    return wx + linear(h, U)


def two_of_one(wx, h):
    return wx + h, h


def wrong_width(wx, h, *, U=Matrix("2H", "H")):
    return linear(h, U)


def short_shift(wx, h, *, b=Vector("H", gates=True)):
    return wx[:, :5] + h + b


def mismatch(wx, h, *, U=Matrix("2H", "H")):
    return wx + linear(h, U)


@pytest.mark.parametrize(
    ("equations", "options", "message"),
    [
        (no_states, {"gates": ("a",), "states": ()}, "cell no_states: states: expected at least one"),
        (one, {"gates": (), "states": ("h",)}, "cell one: gates: expected at least one"),
        (one, {"gates": ("a", "a"), "states": ("h",)}, "each name once"),
        (one, {"gates": ("a",), "states": ("h", "c")}, "arguments wx, h, c before the star, got wx, h"),
        (one, {"gates": ("a",), "states": {"h": "h"}}, "state h: expected a size such as 'H'.*got 'h'"),
        (one, {"gates": ("a",), "states": ("h",), "bias": {"f": 1.0}}, "bias: expected gates among a, got f"),
        (undeclared, {"gates": ("a",), "states": ("h",)}, r"parameter U: expected a default Matrix\(...\)"),
        (swallows, {"gates": ("a",), "states": ("h",)}, "parameter params: expected a default"),
        (bad_size, {"gates": ("a",), "states": ("h",)}, "parameter U: expected a size .* got '3K'"),
        (two_of_one, {"gates": ("a",), "states": ("h",)}, "expected 1 new states, got 2"),
        (wrong_width, {"gates": ("a",), "states": ("h",)}, r"new state h: expected \[2, 5\] .* got \[2, 10\]"),
        (short_shift, {"gates": ("a", "f"), "states": ("h",)}, "parameter b: expected 2H for its gates, got H"),
        (mismatch, {"gates": ("a",), "states": ("h",)}, "cell mismatch: its equations fail on the declared shapes"),
    ],
)
def test_a_malformed_cell_is_refused(equations, options, message):
    with pytest.raises(InputError, match=message):
        cell(**options)(equations)
