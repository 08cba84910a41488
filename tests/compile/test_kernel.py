"""Compiled programs against the reference: over every cell of the folder, and over cells that nobody ships."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.cells import CELLS, Matrix, Vector, cell, linear
from recurra.compile import cpu, op, path, reference, threads
from recurra.nn import Recurrent
from recurra.sequences import Ragged


@cell(gates=("f", "g", "o"), states=("h", "c"), bias={"f": 1.0})
def tied(wx, h, c, *, U=Matrix("3H", "H")):
    """LSTM whose input gate is one minus the forget gate, with a rectified candidate."""
    f, g, o = (wx + linear(h, U)).chunk(3, dim=-1)
    f = f.sigmoid()
    c = f * c + (1 - f) * g.relu()
    return o.sigmoid() * c.tanh(), c


@cell(gates=("r", "z", "n"), states=("h",))
def reset_before(wx, h, *, U=Matrix("2H", "H"), V=Matrix("H", "H"), b=Vector("2H", init=0.3)):
    """GRU that resets before the product: two products, one after the other."""
    r, z = (torch.cat(wx.chunk(3, -1)[:2], -1) + linear(h, U, b)).sigmoid().chunk(2, -1)
    n = (wx.chunk(3, -1)[2] + linear(r * h, V)).tanh()
    return (1 - z) * n + z * h


@cell(gates=("i", "f", "g"), states={"h": "R", "c": "H"})
def normalised(
    wx, h, c, *, U=Matrix("3H", "R"), V=Matrix("R", "H"), p=Vector("2H", init=0.2), s=Vector("3H", init=1.0)
):
    """Layer norm over all gates, peepholes, a projection."""
    z = wx + linear(h, U)
    z = (z - z.mean(-1, keepdim=True)) / (z.var(-1, keepdim=True, unbiased=False) + 1e-3).sqrt() * s
    i, f, g = z.chunk(3, -1)
    to_i, to_f = p.chunk(2, -1)
    c = (f + to_f * c).sigmoid() * c + (i + to_i * c).sigmoid() * g.tanh()
    return linear(c.tanh(), V), c


@cell(gates=("a", "b"), states=("h", "delayed", "count"))
def odd(wx, h, delayed, count, *, U=Matrix("H", "H"), W=Matrix("H", "2H")):
    """A state moved into another, a product of two states side by side, a constant, and rarer functions."""
    a, b = wx.chunk(2, dim=-1)
    m = linear(torch.cat([h, delayed], dim=-1), W) + linear(delayed, U).clamp(-1.0, 0.7)
    new = torch.maximum(a.abs(), torch.nn.functional.softplus(b)).sqrt() - torch.minimum(m, b) / (1.5 + a.square())
    new = torch.nn.functional.leaky_relu(new) * torch.nn.functional.silu(a) * (-b.abs()).exp() - 2 * b**3 / 50
    return new.tanh(), h, 0.5 * count + torch.nn.functional.hardtanh(m, -0.4, 0.9)


OWN = [tied, reset_before, normalised, odd]
ALL = [*CELLS.all().values(), *OWN]
LENGTHS = [[4, 0, 1, 3], [3, 3], [5], [0, 0], [0], [], [2] * 13, [40, 1, 1, 0, 2]]

every_cell = pytest.mark.parametrize("c", ALL, ids=lambda c: c.name)
both_dtypes = pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=["float64", "float32"])


def make(c, hidden, dtype=torch.float64, reverse=False):
    layer = Recurrent(c, 3, hidden, projection_size=max(1, hidden - 2) if c.projects else 0, reverse=reverse)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5 / max(1, hidden / 5) ** 0.5)
    return layer.to(dtype)


def batch(lengths, dtype=torch.float64):
    return Ragged(torch.randn(sum(lengths), 3, dtype=dtype), torch.tensor([0, *lengths]).cumsum(0))


def start(layer, rows):
    drawn = {n: torch.randn(rows, size, dtype=layer.weight_ih.dtype) for n, size in layer.state_sizes.items()}
    return tuple(value.abs() + 0.5 if n == "n" else value for n, value in drawn.items())  # a normaliser is positive


def run(layer, unroll, x, initial):
    """Output, final states, and the gradient of their weighted sum to everything that enters."""
    values = x.values.detach().requires_grad_()
    initial = tuple(s.detach().requires_grad_() for s in initial)
    weights = [layer.weight_ih, *([] if layer.bias_ih is None else [layer.bias_ih]), *layer.params.values()]
    y, finals = unroll(
        layer.cell, x.with_values(values), layer.weight_ih, layer.bias_ih, dict(layer.params), initial, layer.reverse
    )
    results = [y.values, *finals]
    draw = torch.Generator().manual_seed(1)
    total = sum((r * torch.randn(r.shape, generator=draw, dtype=r.dtype)).sum() for r in results)
    grads = torch.autograd.grad(total, [values, *initial, *weights], allow_unused=True, materialize_grads=True)
    return [*results, *grads]


def same(layer, x, initial, close):
    """Kernel and reference agree in everything.

    Some cells magnify what rounding does. In float32 the kernel may be as far from float64's result as twice what the
    reference is, where that is more than the tolerance.
    """
    both = (run(layer, unroll, x, initial) for unroll in (op.unroll, reference.unroll))
    if x.values.dtype == torch.float64:
        for got, wanted in zip(*both, strict=True):
            close(got, wanted)
        return
    exact = run(copy.deepcopy(layer).double(), reference.unroll, x.to(torch.float64), [s.double() for s in initial])
    for got, wanted, truth in zip(*both, exact, strict=True):
        if truth.numel() and 2 * (wanted - truth).abs().max() > (got - truth).abs().max():
            continue
        close(got, wanted)


@every_cell
@both_dtypes
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("hidden", [3, 17])
def test_kernel_equals_the_reference(c, dtype, reverse, lengths, hidden, close):
    layer, x = make(c, hidden, dtype, reverse), batch(lengths, dtype)
    initial = start(layer, len(lengths))
    assert path(c, x) == "kernel"
    same(layer, x, initial, close)


@every_cell
@pytest.mark.parametrize("hidden", [1, 2, 4, 5, 8, 16, 31, 64])
def test_any_number_of_units_and_rows(c, hidden, close):
    # Rows meet every height of a tile.
    if c.projects and hidden < 2:
        pytest.skip("a projection is smaller than what it projects")
    for rows in (1, 2, 3, 4, 7, 11):
        layer, x = make(c, hidden), batch([3] * rows)
        initial = start(layer, rows)
        for got, wanted in zip(
            run(layer, op.unroll, x, initial), run(layer, reference.unroll, x, initial), strict=True
        ):
            close(got, wanted)


@pytest.mark.parametrize("c", OWN, ids=lambda c: c.name)
def test_gradient_equals_central_differences(c):
    layer, x = make(c, 3), batch([3, 0, 1])
    tensors = [x.values, layer.weight_ih, layer.bias_ih, *layer.params.values(), *start(layer, 3)]
    count = len(layer.params)

    def every(values, weight, bias, *rest):
        params = dict(zip(layer.params, rest[:count], strict=True))
        y, finals = op.unroll(c, x.with_values(values), weight, bias, params, rest[count:], False)
        return (y.values, *finals)

    assert torch.autograd.gradcheck(every, [t.detach().requires_grad_() for t in tensors])


@every_cell
def test_second_derivatives_come_through_the_reference(c):
    layer, x = make(c, 3), batch([3, 1])
    initial = start(layer, 2)

    def output(values, weight):
        return op.unroll(c, x.with_values(values), weight, None, dict(layer.params), initial, False)[0].values

    given = [x.values.requires_grad_(), layer.weight_ih.detach().requires_grad_()]
    assert torch.autograd.gradgradcheck(output, given, fast_mode=True)


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.booleans())
def test_a_sequence_alone_is_bit_for_bit_the_same_in_any_batch(lengths, reverse):
    torch.manual_seed(0)
    layer, x = make(tied, 9, torch.float32, reverse), batch(lengths, torch.float32)
    # The input projection is torch's product, whose last bit may depend on its number of rows: here it is exact.
    layer.weight_ih.data.zero_()
    layer.weight_ih.data[:, 0] = 1.0
    with torch.no_grad():
        y, _ = layer(x)
        for b, sequence in enumerate(x.unbind()):
            assert torch.equal(layer(Ragged.from_list([sequence]))[0].values, y[b])


@every_cell
@both_dtypes
def test_threads_share_the_rows_and_change_no_bit(c, dtype, monkeypatch, close):
    layer, x = make(c, 12, dtype), batch([9, 0, 30, 2, 2, 17, 5, 1], dtype)
    initial = start(layer, 8)
    counts = []
    launch = cpu.launch
    monkeypatch.setattr(cpu, "launch", lambda kernel, at, ways: counts.append(ways) or launch(kernel, at, ways))
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 0)
    alone = run(layer, op.unroll, x, initial)
    torch.set_num_threads(2)
    try:
        shared = [run(layer, op.unroll, x.with_values(x.values), initial) for _ in range(3)]
    finally:
        torch.set_num_threads(1)
    assert counts == [cpu.Ways(1)] * 2 + [cpu.Ways(2)] * 6
    for again in shared:
        for a, b, c_ in zip(again, shared[0], alone, strict=True):
            assert torch.equal(a, b)
            # torch's own products over all steps may depend on the number of threads.
            close(a, c_)
    # What the compiled programs wrote does not: the output, the final states.
    assert all(torch.equal(a, b) for a, b in zip(shared[0], alone[: 1 + len(initial)], strict=False))


@every_cell
@both_dtypes
def test_a_team_shares_the_units_of_one_row_and_changes_no_bit(c, dtype, monkeypatch):
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 0)
    monkeypatch.setattr(cpu, "WORTH_A_MEMBER", 1)
    ways = []
    launch = cpu.launch
    monkeypatch.setattr(cpu, "launch", lambda kernel, at, how: ways.append(how) or launch(kernel, at, how))
    for hidden, lengths, count in ((37, [25], 2), (3, [9], 3), (64, [12, 0, 7], 7)):
        layer, x = make(c, hidden, dtype), batch(lengths, dtype)
        initial = start(layer, len(lengths))
        alone = run(layer, op.unroll, x, initial)
        torch.set_num_threads(count)
        try:
            team = run(layer, op.unroll, x.with_values(x.values), initial)
        finally:
            torch.set_num_threads(1)
        for name, used in zip(("train", "back"), ways[-2:], strict=True):
            together = cpu.kernel(c, name, dtype).code.schedule.splits
            assert used == cpu.Ways(count if together else len(lengths), together)
        assert all(torch.equal(a, b) for a, b in zip(alone[: 1 + len(initial)], team, strict=False))


def test_a_team_of_fewer_threads_than_were_asked_for(monkeypatch):
    """As OpenMP starts when its own limit is lower."""
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 0)
    monkeypatch.setattr(cpu, "WORTH_A_MEMBER", 1)
    layer, x = make(CELLS.get("lstm"), 24), batch([11])
    alone = layer(x)[0].values
    start = threads.run
    monkeypatch.setattr(threads, "run", lambda function, at, count: start(function, at, count - 1))
    torch.set_num_threads(3)
    try:
        assert torch.equal(layer(x)[0].values, alone)
    finally:
        torch.set_num_threads(1)


def test_more_rows_than_a_share_holds(close):
    layer, x = make(tied, 4), batch(torch.randint(0, 4, (250,)).tolist())
    initial = start(layer, 250)
    same(layer, x, initial, close)


@every_cell
def test_what_enters_may_lie_anyhow_in_memory_and_is_not_changed(c, close):
    layer, lengths = make(c, 5), [2, 3]
    wide = torch.randn(5, 6, dtype=torch.float64)
    x = Ragged(wide[:, ::2], batch(lengths).offsets)
    params = {n: p.detach().t().contiguous().t() if p.ndim == 2 else p.detach() for n, p in layer.params.items()}
    weight = layer.weight_ih.detach().t().contiguous().t().requires_grad_()
    initial = tuple(torch.randn(1, s, dtype=torch.float64).expand(2, s) for s in layer.state_sizes.values())
    tensors = [wide, weight.detach(), *params.values(), *initial]
    before = [t.clone() for t in tensors]
    results = []
    for unroll in (op.unroll, reference.unroll):
        y, finals = unroll(c, x, weight, None, params, initial, False)
        # The gradient of a sum is one number, expanded.
        results.append([y.values, *finals, *torch.autograd.grad(y.values.sum(), [weight])])
    for got, wanted in zip(*results, strict=True):
        close(got, wanted)
    assert all(torch.equal(a, b) for a, b in zip(tensors, before, strict=True))


SPECIAL = [0.0, -0.0, 1e-40, -1e-40, 1e-30, 1.0, -1.0, 9.0, -9.0, 20.0, 88.5, -88.5, -95.0, 104.0, -200.0, 1e30, -1e30]
SPECIAL += [float("inf"), float("-inf"), float("nan")]


@both_dtypes
def test_softplus_keeps_its_last_digits_where_it_is_small(dtype):
    @cell(gates=("a",), states=("h",))
    def soft(wx, h):
        return torch.nn.functional.softplus(wx) + 0 * h

    x = torch.linspace(-60, 30, 901, dtype=dtype, requires_grad=True).unsqueeze(1)
    batch_of_one = Ragged(x, torch.arange(902))
    y, _ = op.unroll(soft, batch_of_one, torch.ones(1, 1, dtype=dtype), None, {}, (x.new_zeros(901, 1),), False)
    exact = torch.logaddexp(x.double(), x.new_zeros((), dtype=torch.float64))  # torch's softplus is x itself above 20
    torch.testing.assert_close(y.values.double(), exact, rtol=1e-6 if dtype == torch.float32 else 1e-14, atol=0)
    (slope,) = torch.autograd.grad(y.values.sum(), x)
    torch.testing.assert_close(slope, torch.sigmoid(x), rtol=1e-6 if dtype == torch.float32 else 1e-13, atol=1e-30)


@pytest.mark.parametrize(
    "name", ["sigmoid", "tanh", "relu", "exp", "log", "log1p", "sqrt", "abs", "neg", "square", "reciprocal"]
)
@both_dtypes
def test_functions_at_the_ends_of_their_range(name, dtype):
    def step(wx, h):
        return getattr(torch, name)(wx)

    c = cell(gates=("a",), states=("h",))(step)
    values = torch.cat([torch.tensor(SPECIAL, dtype=dtype), torch.linspace(-30, 30, 2000, dtype=dtype)])
    values = values[:, None]
    eye, zero = torch.ones(1, 1, dtype=dtype), torch.zeros(1, 1, dtype=dtype)
    y, _ = op.unroll(c, Ragged(values, torch.tensor([0, len(values)])), eye, None, {}, (zero,), False)
    got, wanted = y.values[:, 0], getattr(torch, name)(values[:, 0])
    assert torch.equal(got.isnan(), wanted.isnan())
    assert torch.equal(got.isinf(), wanted.isinf())
    finite = wanted.isfinite()
    error = (got - wanted)[finite].abs() / wanted[finite].abs().clamp(min=1.0)
    assert error.max() <= (1e-6 if dtype == torch.float32 else 1e-14)
    if name in ("sigmoid", "tanh"):
        ends = wanted[[i for i, v in enumerate(SPECIAL) if abs(v) == float("inf")]]
        assert torch.equal(got[[i for i, v in enumerate(SPECIAL) if abs(v) == float("inf")]], ends)


@pytest.mark.parametrize("c", CELLS.all().values(), ids=lambda c: c.name)
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 1e-42])
def test_strange_numbers_go_the_same_way_as_in_the_reference(c, value):
    layer, x = make(c, 5, torch.float32), batch([4, 3, 5], torch.float32)
    x.values[5] = value
    initial = start(layer, 3)
    for got, wanted in zip(
        run(layer, op.unroll, x, initial)[:2], run(layer, reference.unroll, x, initial)[:2], strict=True
    ):
        assert torch.equal(got.isnan(), wanted.isnan())
        torch.testing.assert_close(got, wanted, equal_nan=True, rtol=1e-5, atol=1e-5)


def test_frozen_tensors_get_no_gradient():
    layer, x = make(tied, 4), batch([3, 2])
    layer.weight_ih.requires_grad_(False)
    y, _ = layer(x)
    y.values.sum().backward()
    assert layer.weight_ih.grad is None
    assert layer.params["U"].grad is not None
    assert layer.bias_ih.grad is not None


@pytest.mark.parametrize("lengths", [[3, 2], []], ids=str)
def test_no_features_and_no_gradient(lengths):
    layer = make(tied, 4)
    x = Ragged(torch.empty(sum(lengths), 0, dtype=torch.float64), batch(lengths).offsets)
    weight = torch.empty(12, 0, dtype=torch.float64, requires_grad=True)
    y, _ = op.unroll(tied, x, weight, None, dict(layer.params), start(layer, len(lengths)), False)
    assert torch.autograd.grad(y.values.sum(), weight)[0].shape == (12, 0)


@every_cell
def test_a_graph_that_is_kept_gives_the_same_gradients_again(c):
    layer, x = make(c, 9), batch([4, 0, 7])
    values = x.values.requires_grad_()
    y, finals = op.unroll(
        c, x.with_values(values), layer.weight_ih, layer.bias_ih, dict(layer.params), start(layer, 3), False
    )
    entered = [values, layer.weight_ih, layer.bias_ih, *layer.params.values()]
    total = sum(r.square().sum() for r in (y.values, *finals))
    output = y.values.clone()
    # The last time, the memory of what was kept may be written over.
    first, second, last = (torch.autograd.grad(total, entered, retain_graph=keep) for keep in (True, True, False))
    for a, b, c_ in zip(first, second, last, strict=True):
        assert torch.equal(a, b)
        assert torch.equal(a, c_)
    assert torch.equal(y.values, output)


def test_what_is_kept_shares_its_memory_with_what_comes_before_and_after():
    rooms = {name: op.bound(CELLS.get("lstm"), name, torch.float64, 5, 0).room for name in ("infer", "train", "back")}
    assert rooms == {"infer": "", "train": "saved", "back": "saved"}
    # This one's input blocks are read after others have been kept.
    assert op.bound(odd, "train", torch.float64, 5, 0).room == ""
