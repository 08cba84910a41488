"""RNN, LSTM and GRU against torch.nn's: every combination of options and forms of input, in float64 to 1e-9."""

import copy
import warnings

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence

from recurra import nn as ours
from recurra.errors import InputError
from recurra.sequences import Ragged

KINDS = {
    "rnn-tanh": ("RNN", {"nonlinearity": "tanh"}),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "lstm-projected": ("LSTM", {"proj_size": 2}),
    "gru": ("GRU", {}),
}
INPUT, H, B, T = 3, 4, 3, 3
TOLERANCE = 1e-9

every_kind = pytest.mark.parametrize("kind", KINDS)


def pair(kind, **options):
    """torch's module and ours, with the same weights, each loaded from the other's state_dict."""
    name, more = KINDS[kind]
    theirs, mine = (getattr(m, name)(INPUT, H, dtype=torch.float64, **more, **options) for m in (nn, ours))
    mine.load_state_dict(theirs.state_dict())
    theirs.load_state_dict(mine.state_dict())
    return theirs, mine


def initial(module, form):
    rows = module.num_layers * (1 + module.bidirectional)
    shapes = [(rows, module.proj_size or H), (rows, H)] if isinstance(module, nn.LSTM) else [(rows, H)]
    shapes = [s if form == "unbatched" else (s[0], B, s[1]) for s in shapes]
    return [torch.randn(s, dtype=torch.float64) for s in shapes]


def source(form, batch_first):
    """A tensor of numbers and the function that brings it into the form."""
    lengths = {"sorted": [3, 1, 1], "unsorted": [2, 3, 1], "ragged": [2, 3, 2]}.get(form)
    if form == "unbatched":
        return torch.randn(T, INPUT, dtype=torch.float64), lambda x: x
    padded = torch.randn(*((B, T) if batch_first else (T, B)), INPUT, dtype=torch.float64)
    if form == "padded":
        return padded, lambda x: x
    options = {"batch_first": batch_first, "enforce_sorted": form == "sorted"}
    return padded, lambda x: pack_padded_sequence(x, torch.tensor(lengths), **options)


def flatten(returned):
    """Output and final states as a flat list of tensors."""
    output, last = returned
    numbers = output if isinstance(output, Tensor) else output.data
    return [numbers, *(last if isinstance(last, tuple) else (last,))]


def results(module, numbers, form, states, as_ragged=False):
    """Output, final states, and the gradient of their weighted sum to input, initial states and parameters."""
    x = numbers.clone().requires_grad_()
    given = [s.clone().requires_grad_() for s in states]
    hx = None if not given else tuple(given) if len(given) == 2 else given[0]
    entered = form(x)
    output, last = module(Ragged.from_packed(entered) if as_ragged else entered, hx)
    if as_ragged:
        output = output.to_packed()
    if isinstance(entered, PackedSequence):
        for mine, theirs in zip(output[1:], entered[1:], strict=True):
            assert as_ragged or (mine is None and theirs is None) or torch.equal(mine, theirs)
    found = flatten((output, last))
    draw = torch.Generator().manual_seed(1)
    total = sum((f * torch.randn(f.shape, generator=draw, dtype=f.dtype)).sum() for f in found)
    return [*found, *torch.autograd.grad(total, [x, *given, *module.parameters()])]


def assert_same(mine, theirs):
    for a, b in zip(mine, theirs, strict=True):
        assert a.shape == b.shape
        assert (a - b).abs().max() <= TOLERANCE


@every_kind
@pytest.mark.parametrize("layers", [1, 2, 3])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("bidirectional", [False, True], ids=["one-way", "both-ways"])
@pytest.mark.parametrize("batch_first", [False, True], ids=["time-first", "batch-first"])
@pytest.mark.parametrize("form", ["padded", "unbatched", "sorted", "unsorted", "ragged"])
@pytest.mark.parametrize("given", [False, True], ids=["zeros", "given"])
def test_equals_torch(kind, layers, bias, bidirectional, batch_first, form, given):
    options = {"num_layers": layers, "bias": bias, "bidirectional": bidirectional, "batch_first": batch_first}
    theirs, mine = pair(kind, **options)
    numbers, shape = source(form, batch_first)
    states = initial(theirs, form) if given else []
    expected = results(theirs, numbers, shape, states)
    assert_same(results(mine, numbers, shape, states, as_ragged=form == "ragged"), expected)


@every_kind
def test_same_seed_gives_the_same_weights(kind):
    name, more = KINDS[kind]
    made = []
    for module in (nn, ours):
        torch.manual_seed(3)
        made.append(getattr(module, name)(INPUT, H, num_layers=2, bidirectional=True, **more))
    theirs, mine = (list(m.named_parameters()) for m in made)
    assert [n for n, _ in mine] == [n for n, _ in theirs]
    assert all(torch.equal(a, b) for (_, a), (_, b) in zip(mine, theirs, strict=True))
    assert repr(made[0]) == repr(made[1])


@every_kind
def test_a_ragged_goes_in_and_comes_out_even_with_empty_sequences(kind):
    _, mine = pair(kind, num_layers=2, bidirectional=True)
    sequences = [torch.randn(n, INPUT, dtype=torch.float64) for n in (2, 0, 5)]
    x = Ragged.from_list(sequences)
    y, last = mine(x)
    assert isinstance(y, Ragged)
    assert y.layout is x.layout
    h = last[0] if isinstance(last, tuple) else last
    assert h[:, 1].eq(0).all()
    for b, sequence in enumerate(sequences):
        alone, alone_last = mine(sequence)
        torch.testing.assert_close(y[b], alone)
        torch.testing.assert_close(h[:, b], alone_last[0] if isinstance(last, tuple) else alone_last)


@every_kind
@pytest.mark.parametrize("shape", [(0, B), (T, 0)], ids=["no steps", "no rows"])
def test_nothing_in_nothing_out(kind, shape):
    _, mine = pair(kind)
    states = [torch.randn(1, shape[1], s, dtype=torch.float64) for s in ([mine.proj_size or H, H])]
    hx = tuple(states) if isinstance(mine, ours.LSTM) else states[0]
    y, last = mine(torch.zeros(*shape, INPUT, dtype=torch.float64), hx)
    assert y.shape == (*shape, mine.proj_size or H)
    for a, b in zip(last if isinstance(last, tuple) else (last,), states, strict=False):
        assert torch.equal(a, b)


@every_kind
@pytest.mark.parametrize("batch_first", [False, True])
def test_output_can_be_viewed_flat(kind, batch_first):
    _, mine = pair(kind, batch_first=batch_first)
    y, _ = mine(torch.randn(B, T, INPUT, dtype=torch.float64))
    assert y.view(B * T, -1).shape[0] == B * T
    mine.flatten_parameters()


def test_dropout_is_between_layers_and_in_training_only():
    theirs, mine = pair("gru", num_layers=3, dropout=1.0)
    x = torch.randn(T, B, INPUT, dtype=torch.float64)
    assert_same(mine(x), theirs(x))
    with_nothing = mine(x)[0]
    theirs.eval(), mine.eval()
    assert_same([mine(x)[0]], [theirs(x)[0]])
    assert not torch.equal(mine(x)[0], with_nothing)
    last = ours.GRU(INPUT, H, num_layers=2, dropout=0.5)
    y, _ = last(torch.randn(200, B, INPUT))
    assert not y.eq(0).any()
    with pytest.warns(UserWarning, match="num_layers=1"):
        ours.GRU(INPUT, H, dropout=0.5)


@every_kind
def test_packed_rows_of_one_length_in_any_order(kind):
    """torch may shuffle equals when it sorts; states must follow their rows."""
    theirs, mine = pair(kind, bidirectional=True)
    order, back = torch.tensor([2, 0, 1]), torch.tensor([1, 2, 0])
    data, sizes = torch.randn(T * B, INPUT, dtype=torch.float64), torch.full((T,), B)
    packed = PackedSequence(data, sizes, order, back)
    states = initial(theirs, "sorted")
    hx = tuple(states) if len(states) == 2 else states[0]
    for mine_, theirs_ in zip(flatten(mine(packed, hx)), flatten(theirs(packed, hx)), strict=True):
        assert_same([mine_], [theirs_])


def test_half_of_the_features_are_dropped():
    layer = ours.RNN(INPUT, 50, num_layers=2, dropout=0.5, nonlinearity="relu")
    with torch.no_grad():
        layer.weight_hh_l1.zero_()
        layer.weight_ih_l1.copy_(torch.eye(50))
        for bias in (layer.bias_ih_l1, layer.bias_hh_l1):
            bias.zero_()
        layer.bias_ih_l0.fill_(9.0)
    y, _ = layer(torch.randn(40, B, INPUT))
    assert 0.45 < y.eq(0).double().mean() < 0.55


def test_it_copies_moves_and_warns_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, more in KINDS.values():
            layer = getattr(ours, name)(INPUT, H, num_layers=2, dropout=0.1, bidirectional=True, **more)
            for form in (torch.randn(T, B, INPUT), Ragged.from_list([torch.randn(2, INPUT), torch.randn(1, INPUT)])):
                y, _ = copy.deepcopy(layer)(form)
                (y.values if isinstance(y, Ragged) else y).sum().backward()
            assert layer.double()(torch.randn(T, INPUT).double())[0].dtype == torch.float64
            assert getattr(ours, name)(INPUT, H, device="meta", **more).weight_ih_l0.device.type == "meta"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ours.LSTM(0, 4), "input_size: expected a positive integer, got 0"),
        (lambda: ours.GRU(3, 4.0), "hidden_size: expected a positive integer, got 4.0"),
        (lambda: ours.GRU(3, 4, num_layers=0), "num_layers"),
        (lambda: ours.LSTM(3, 4, proj_size=4), "proj_size: expected 0 to 3, .* got 4"),
        (lambda: ours.LSTM(3, 4, proj_size=-1), "proj_size"),
        (lambda: ours.GRU(3, 4, dropout=1.5), "dropout: expected a probability from 0 to 1, got 1.5"),
        (lambda: ours.RNN(3, 4, nonlinearity="tan"), "unknown nonlinearity 'tan': did you mean 'tanh'"),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 1, 5)), r"input: expected \[T, B, 3\] .* got \[2, 1, 5\]"),
        (lambda: ours.GRU(3, 4, batch_first=True)(torch.zeros(2, 1, 5)), r"input: expected \[B, T, 3\]"),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 5)), r"input: expected \[T, 3\]"),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 1, 3, 1)), r"input: expected \[T, B, 3\]"),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 3).double()), "input: expected .*float32 on cpu, got .*float64"),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 3, device="meta")), "input: expected .* on cpu, got .* on meta"),
        (lambda: ours.GRU(3, 4)(Ragged.from_list([torch.zeros(2, 5)])), r"input.values: expected \[N, 3\]"),
        (lambda: ours.GRU(3, 4)(Ragged.from_list([torch.zeros(2, 5)]).to_packed()), r"input.data: expected \[N, 3\]"),
        (
            lambda: ours.GRU(3, 4)(torch.zeros(2, 1, 3), torch.zeros(1, 2, 4)),
            r"hx: expected \[1, 1, 4\].*got \[1, 2, 4\]",
        ),
        (lambda: ours.GRU(3, 4)(torch.zeros(2, 3), torch.zeros(1, 1, 4)), r"hx: expected \[1, 4\]"),
        (
            lambda: ours.LSTM(3, 4)(torch.zeros(2, 3), torch.zeros(1, 4)),
            r"hx: expected a pair \(h_0, c_0\), got Tensor",
        ),
        (
            lambda: ours.LSTM(3, 4, proj_size=2)(torch.zeros(2, 3), (torch.zeros(1, 2), torch.zeros(1, 2))),
            r"hx\[1\]: expected \[1, 4\]",
        ),
    ],
)
def test_misuse_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
