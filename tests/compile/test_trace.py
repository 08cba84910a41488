"""What a cell may be made of, and what is said of anything else."""

import inspect

import pytest
import torch

from recurra.cells import CELLS, Matrix, cell, linear
from recurra.compile import path
from recurra.compile.plan import plan
from recurra.compile.trace import trace
from recurra.errors import InputError
from recurra.sequences import Ragged


def sorted_units(wx, h):
    return wx + h.sort(-1)[0]


def cosine(wx, h):
    return torch.cos(wx) + h


def halves(wx, h):
    return torch.cat(wx.chunk(2, -1), -1) + h.chunk(5, -1)[0]


def branching(wx, h):
    return wx if h.sum() > 0 else h


def by_a_value(wx, h):
    return linear(wx, torch.ones(5, 5)) + h


def over_rows(wx, h):
    return wx - h.mean(0, keepdim=True)


def indexed(wx, h):
    return wx + h[:, :1]


@pytest.mark.parametrize(
    ("equations", "what"),
    [
        (sorted_units, "the operation sort"),
        (cosine, "the operation cos"),
        (branching, "its equations cannot be read"),
        (over_rows, "mean in this form .expected dim=-1"),
        (indexed, "getitem in this form .use chunk"),
    ],
)
def test_an_operation_outside_the_set_is_refused_by_name(equations, what):
    c = cell(gates=("a",), states=("h",))(equations)
    x = Ragged.from_list([torch.zeros(2, 3)])
    with pytest.raises(InputError, match=f"cell {equations.__name__}.*{what}") as error:
        path(c, x)
    if "read" not in what:
        line = inspect.getsourcelines(equations)[1] + 1
        assert f"line {line}" in str(error.value)
        assert "may use: abs, add, " in str(error.value)


def test_equal_values_are_one_node():
    @cell(gates=("a",), states=("h",))
    def twice(wx, h):
        return (wx + h).tanh() * (wx + h).tanh()

    ((new,),) = trace(twice).states
    assert new.op == "mul"
    assert new.args[0] is new.args[1]


@pytest.mark.parametrize(
    ("name", "kept", "written"), [("rnn-tanh", 0, 1), ("rnn-relu", 0, 1), ("gru", 4, 4), ("lstm", 5, 4)]
)
def test_what_is_kept_for_the_backward_pass(name, kept, written):
    """In blocks of H a step: the LSTM's activations and old c; not its tanh(c'), nor anything the output tells."""
    programs = plan(CELLS.get(name))
    assert len(programs.train.streams.get("saved", ())) == kept
    assert len(programs.back.streams["grads"]) == written


def test_a_second_use_of_a_matrix_adds_to_its_gradient(close):
    from recurra.compile import op, reference

    @cell(gates=("a",), states=("h",))
    def both(wx, h, *, U=Matrix("H", "H")):
        return (linear(h, U) + linear(wx.relu(), U)).tanh()

    x = Ragged.from_list([torch.randn(4, 3, dtype=torch.float64)])
    weight, h = torch.randn(5, 3, dtype=torch.float64), torch.randn(1, 5, dtype=torch.float64)
    matrix = torch.randn(5, 5, dtype=torch.float64, requires_grad=True)
    found = []
    for unroll in (op.unroll, reference.unroll):
        y, _ = unroll(both, x, weight, None, {"U": matrix}, (h,), False)
        found.append(torch.autograd.grad(y.values.square().sum(), matrix)[0])
    close(*found)
