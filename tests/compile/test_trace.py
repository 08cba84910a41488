"""What a cell may be made of, and what is said of anything else."""

import inspect

import pytest
import torch

from recurra.cells import CELLS, Matrix, Vector, cell, linear
from recurra.compile import path
from recurra.compile.plan import plan
from recurra.compile.schedule import schedule
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
    ("name", "kept", "written"),
    [
        ("rnn-tanh", "", 1),
        ("rnn-relu", "", 1),
        ("gru", "HHHH", 4),
        ("lstm", "HHHHH", 4),
        ("sru", "HHHHH", 4),
        ("gru-layer-norm", "HHHHHH1111", 6),
        ("lstm-layer-norm", "HHHHHHHHH1111", 8),
    ],
)
def test_what_is_kept_for_the_backward_pass(name, kept, written):
    """In blocks of H a step: the LSTM's activations and old c; not its tanh(c'), nor anything the output tells. Of a
    row that is normalised one number more, and nothing is written for gradients of vectors, which are added up."""
    programs = plan(CELLS.get(name))
    assert "".join(programs.train.streams.get("saved", ())) == kept
    assert len(programs.back.streams["grads"]) == written


@pytest.mark.parametrize(("name", "most"), [("gru-layer-norm", 1), ("lstm-layer-norm", 2)])
def test_sums_over_a_row_wait_for_as_few_others_as_they_can(name, most):
    """Back through the normalised gates in one loop over the units, and before it through the LSTM's normalised c."""
    assert [len(level.sums) for level in schedule(plan(CELLS.get(name)).back).levels] == [most, 0]


@pytest.mark.parametrize("centre", [True, False])
def test_gradients_of_sums_over_a_row(centre, close):
    """What is taken out of a sum, and what cancels, changes no gradient: nested sums, of blocks side by side or not."""
    from recurra.compile import op, reference

    @cell(gates=("a", "b"), states=("h",))
    def nested(wx, h, *, v=Vector("2H"), w=Vector("H")):
        x = (wx - wx.mean(-1, keepdim=True) if centre else 3 - wx / wx.square().mean(-1, keepdim=True)) * v
        a, b = (x * x.mean(-1, keepdim=True)).chunk(2, -1)
        y = a - b * (a * h).sum(-1, keepdim=True) + w * h.mean(-1, keepdim=True)
        return (y - y.mean(-1, keepdim=True)) / (1 + y.var(-1, keepdim=True)).sqrt()

    x = Ragged.from_list([torch.randn(n, 3, dtype=torch.float64) for n in (4, 0, 2)])
    weight, h = (torch.randn(*size, dtype=torch.float64, requires_grad=True) for size in ((10, 3), (3, 5)))
    params = {name: torch.randn(n, dtype=torch.float64, requires_grad=True) for name, n in (("v", 10), ("w", 5))}
    found = []
    for unroll in (op.unroll, reference.unroll):
        y, _ = unroll(nested, x, weight, None, params, (h,), False)
        found.append(torch.autograd.grad(y.values.sin().sum(), [weight, h, *params.values()]))
    for ours, theirs in zip(*found, strict=True):
        close(ours, theirs)


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
