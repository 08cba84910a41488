"""``recurra.kernels`` tells what ran, and why nothing faster did."""

import pytest
import torch
from torch import nn

import recurra
from recurra.cells import CELLS, cell
from recurra.compile import cpu
from recurra.errors import InputError
from recurra.nn import GRU, LSTM, Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged


@cell(gates=("h",), states=("h",))
def ours(wx, h):
    return (wx + h).tanh()


class Marked(torch.Tensor):
    """A subclass as libraries make them."""


def only(found):
    (layer,) = found
    return layer.path, layer.reason


@pytest.fixture
def launches(monkeypatch):
    """On how many threads kernels were started."""
    seen = []
    real = cpu.launch
    monkeypatch.setattr(
        cpu, "launch", lambda kernel, arguments, ways: seen.append(ways.threads) or real(kernel, arguments, ways)
    )
    return seen


def test_names_every_layer_and_direction():
    lstm, gru = CELLS.get("lstm"), CELLS.get("gru")
    both = Bidirectional(Recurrent(lstm, 3, 4), Recurrent(lstm, 3, 4, reverse=True))
    model = nn.ModuleDict({"stack": Stack([both, Recurrent(gru, 8, 5)]), "torch": GRU(3, 4, 2, bidirectional=True)})
    found = recurra.kernels(model)
    assert [k.name for k in found] == [
        "stack.layers.0.forwards", "stack.layers.0.backwards", "stack.layers.1",
        "torch.l0", "torch.l0_reverse", "torch.l1", "torch.l1_reverse",
    ]  # fmt: skip
    assert [k.cell for k in found] == ["lstm", "lstm"] + ["gru"] * 5
    assert {k.path for k in found} == {"kernel"} and {k.reason for k in found} == {""}


@pytest.mark.parametrize("form", ["ragged", "padded", "packed"])
def test_an_input_is_run_and_threads_are_those_that_started(form, launches):
    x = Ragged.from_list([torch.randn(40, 64)] * 8)
    given = {"ragged": x, "padded": x.to_padded().transpose(0, 1), "packed": x.to_packed()}[form]
    torch.set_num_threads(2)
    try:
        found = recurra.kernels(LSTM(64, 64), given)
    finally:
        torch.set_num_threads(1)
    assert [k.threads for k in found] == launches == [2]
    assert found[0].lanes == cpu.objects.widest("float").count


def test_a_layer_of_a_module_gets_what_the_module_gives_it():
    model = nn.Sequential(nn.Linear(2, 3), LSTM(3, 4))
    assert only(recurra.kernels(model, torch.randn(5, 2, 2))) == ("kernel", "")
    loop = nn.Sequential(gru := GRU(3, 3), nn.Identity())
    loop.forward = lambda x: gru(gru(x)[0])
    assert len(recurra.kernels(loop, torch.randn(5, 2, 3))) == 1


@pytest.mark.parametrize(
    ("c", "path", "says"),
    [(CELLS.get("gru"), "torch", "the input is bfloat16"), (ours, "reference", "torch has no kernel of this cell")],
)
def test_the_dtype_keeps_it_off(c, path, says):
    taken, reason = only(recurra.kernels(Recurrent(c, 3, 4).bfloat16()))
    assert taken == path and says in reason


def test_autocast_keeps_it_off():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        path, reason = only(recurra.kernels(GRU(3, 4), torch.randn(2, 1, 3)))
    assert path == "torch" and "autocast is on, in bfloat16" in reason


def test_a_subclass_keeps_it_off():
    x = Ragged(torch.randn(2, 3).as_subclass(Marked), torch.tensor([0, 2]))
    path, reason = only(recurra.kernels(Recurrent(ours, 3, 4), x))
    assert path == "reference" and "a tensor is a Marked" in reason


def test_transforms_keep_it_off():
    layer, found = GRU(3, 4), []
    torch.func.grad(lambda x: found.append(recurra.kernels(layer, x)) or x.sum())(torch.randn(4, 1, 3))
    path, reason = only(found[0])
    assert path == "reference" and "torch.func" in reason


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # torch's own, on the way to its compiler
def test_a_compiled_module_is_told_as_it_would_run_by_itself():
    assert only(recurra.kernels(torch.compile(GRU(3, 4)), torch.randn(2, 1, 3))) == ("kernel", "")


def test_prints_as_a_table():
    lines = str(recurra.kernels(GRU(3, 4).bfloat16())).splitlines()
    assert lines[0].split()[:4] == ["layer", "cell", "path", "dtype"]
    assert lines[1].split()[:4] == ["l0", "gru", "torch", "bfloat16"]
    assert len(lines) == 2


def test_nothing_recurrent_is_refused():
    with pytest.raises(InputError, match="holds recurrent layers, got a Linear"):
        recurra.kernels(nn.Linear(2, 2))
