"""Inside torch's graphs: compile without a break, export, fake tensors, transforms."""

import pytest
import torch
from torch import nn

from recurra.cells import CELLS, Matrix, cell, linear
from recurra.compile import cpu
from recurra.nn import GRU, LSTM, RNN, Recurrent
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout

every_cell = pytest.mark.parametrize("name", CELLS.names())


def made(name, dtype=torch.float64):
    c = CELLS.get(name)
    return Recurrent(c, 3, 5, projection_size=3 if c.projects else 0).to(dtype)


@every_cell
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
def test_the_operation_keeps_torchs_rules(name, bias):
    layer = made(name)
    sizes = layer.state_sizes.values()
    rest = [*layer.params.values(), *(torch.randn(3, s, dtype=torch.float64, requires_grad=True) for s in sizes)]
    x = torch.randn(6, 3, dtype=torch.float64, requires_grad=True)
    bias_ih = layer.bias_ih if bias else None
    for keep in (True, False) if bias else (True,):
        given = [t.detach() for t in rest] if not keep else rest
        weights = (x, layer.weight_ih, bias_ih) if keep else (x.detach(), layer.weight_ih.detach(), bias_ih.detach())
        arguments = (layer.cell.key, torch.tensor([0, 4, 4, 6]), False, keep, *weights, given)
        torch.library.opcheck(torch.ops.recurra.unroll.default, arguments)


class Net(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.layer, self.head = layer, nn.Linear(16, 2)

    def forward(self, x):
        return self.head(self.layer(x)[0])


@pytest.mark.parametrize("kind", [RNN, LSTM, GRU])
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_a_network_compiles_in_one_graph_and_exports(kind, close, monkeypatch):
    net, x = Net(kind(3, 8, num_layers=2, bidirectional=True)), torch.randn(7, 4, 3)
    torch._dynamo.reset()
    compiled = torch.compile(net, fullgraph=True, backend="aot_eager")
    launched = []
    launch = cpu.launch
    monkeypatch.setattr(cpu, "launch", lambda kernel, *a: launched.append(kernel.program.name) or launch(kernel, *a))
    results = []
    for model in (compiled, net):
        y = model(x)
        results.append([y, *torch.autograd.grad(y.square().sum(), list(net.parameters()))])
    assert launched == (["train"] * 4 + ["back"] * 4) * 2
    for a, b in zip(*results, strict=True):
        close(a, b)
    close(torch.export.export(net, (x,)).module()(x), results[1][0])


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_sequences_of_any_length_compile_in_one_graph(close):
    layer = made("lstm", torch.float32)
    torch._dynamo.reset()

    @torch.compile(fullgraph=True, backend="aot_eager")
    def output(values, offsets):
        return layer(Ragged.of_layout(values, Layout(offsets, 7)))[0].values

    values, offsets = torch.randn(7, 3), torch.tensor([0, 4, 4, 7])
    close(output(values, offsets), layer(Ragged(values, offsets))[0].values)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning")
def test_what_regularises_a_recurrence_compiles_in_one_graph():
    layer = Recurrent(CELLS.get("lstm"), 3, 5, recurrent_dropout=0.4, zoneout=0.2, weight_drop=0.3, clip_gradient=1.0)
    torch._dynamo.reset()
    compiled = torch.compile(
        lambda v, o: layer(Ragged.of_layout(v, Layout(o, 7)))[0].values, fullgraph=True, backend="aot_eager"
    )
    values, offsets = torch.randn(7, 3), torch.tensor([0, 4, 4, 7])
    y = compiled(values, offsets)
    y.sum().backward()
    assert not torch.equal(y, compiled(values, offsets))
    assert all(p.grad.isfinite().all() for p in layer.parameters())


def test_two_cells_of_one_name_are_two():
    def same(factor):
        @cell(gates=("a",), states=("h",))
        def twin(wx, h, *, U=Matrix("H", "H")):
            return factor * wx + linear(h, U)

        return twin

    first, second = same(1.0), same(2.0)
    assert first.key != second.key
    x = Ragged.from_list([torch.ones(1, 3)])
    one, two = Recurrent(first, 3, 4), Recurrent(second, 3, 4)
    two.load_state_dict(one.state_dict())
    assert torch.allclose(2 * one(x)[0].values, two(x)[0].values)


@every_cell
def test_a_functional_gradient_is_the_same_as_a_taped_one(name, close):
    layer = made(name)
    x = Ragged.from_list([torch.randn(4, 3, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)])

    def loss(values):
        return layer(x.with_values(values))[0].values.square().sum()

    values = x.values.clone().requires_grad_()
    close(torch.func.grad(loss)(x.values), torch.autograd.grad(loss(values), values)[0])
