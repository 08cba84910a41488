"""torch.nn's modules: outputs, final states and weights, in both directions of the exchange, in float64 to 1e-10."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch import nn
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from recurra import nn as ours
from recurra.cells.gru import gru
from recurra.cells.li_gru import li_gru
from recurra.cells.lstm import lstm
from recurra.cells.lstm_projected import lstm_projected
from recurra.errors import InputError
from recurra.export import from_torch, to_torch
from recurra.sequences import Ragged

KINDS = {
    "rnn-tanh": ("RNN", {"nonlinearity": "tanh"}),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}),
    "lstm": ("LSTM", {}),
    "lstm-projected": ("LSTM", {"proj_size": 2}),
    "gru": ("GRU", {}),
}
INPUT, H = 3, 4


def same(layer, module, lengths, close):
    """Output, and the final states by torch's order: layer by layer, in each forward and then backward."""
    sequences = [torch.randn(length, INPUT, dtype=torch.float64) for length in lengths]
    y, state = layer(Ragged.from_list(sequences))
    expected, final = module(pack_sequence(sequences, enforce_sorted=False))
    close(y.values, torch.cat(unpack_sequence(expected)))
    for name, states in zip("hc", final if isinstance(final, tuple) else (final,), strict=False):
        mine = [state[each] for each in state if each.endswith(name)]
        close(torch.stack(mine), states)


@pytest.mark.parametrize("kind", KINDS)
@given(some.data())
def test_there_and_back(kind, close, data):
    name, options = KINDS[kind]
    options = {**options, "num_layers": data.draw(some.integers(1, 3))}
    options |= {"bias": data.draw(some.booleans()), "bidirectional": data.draw(some.booleans())}
    theirs = getattr(nn, name)(INPUT, H, dtype=torch.float64, **options)
    lengths = data.draw(some.lists(some.integers(1, 6), min_size=1, max_size=4))
    layer = from_torch(theirs)
    same(layer, theirs, lengths, close)
    back = to_torch(layer)
    assert type(back) is type(theirs)
    same(layer, back, lengths, close)
    again = from_torch(back).state_dict()
    assert all(torch.equal(weight, again[name]) for name, weight in layer.state_dict().items())


@pytest.mark.parametrize("kind", KINDS)
def test_our_drop_ins_are_taken_too(kind, close):
    name, options = KINDS[kind]
    dropin = getattr(ours, name)(INPUT, H, num_layers=2, bidirectional=True, dtype=torch.float64, **options)
    x = Ragged.from_list([torch.randn(n, INPUT, dtype=torch.float64) for n in (3, 1)])
    close(from_torch(dropin)(x)[0].values, dropin(x)[0].values)


def test_layers_of_other_origin_go_to_torch(close):
    below = ours.Bidirectional(ours.Recurrent(gru, INPUT, H), ours.Recurrent(gru, INPUT, H, reverse=True, bias=False))
    above = ours.Bidirectional(ours.Recurrent(gru, 2 * H, H), ours.Recurrent(gru, 2 * H, H, reverse=True))
    for each in (below, above):
        nn.init.normal_(each.forwards.params["b"])
    stack = ours.Stack([below, above], dropout=0.25).double().eval()
    module = to_torch(stack, batch_first=True)
    assert (module.dropout, module.batch_first, module.training) == (0.25, True, False)
    same(stack, module, [4, 2], close)


def test_weights_are_copies_and_nothing_is_drawn():
    theirs = nn.LSTM(INPUT, H)
    before, seed = copy.deepcopy(theirs.state_dict()), torch.get_rng_state()
    layer = from_torch(theirs)
    module = to_torch(layer)
    assert torch.equal(torch.get_rng_state(), seed)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
    assert all(torch.equal(w, before[n]) for n, w in theirs.state_dict().items())
    assert module.weight_ih_l0.any() and module.weight_hh_l0.any()
    module(torch.randn(2, 1, INPUT))[0].sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())


REFUSED = {
    "cell: torch.nn has no li_gru": lambda: ours.Recurrent(li_gru, 3, 4),
    "zoneout: torch.nn has none": lambda: ours.Recurrent(lstm, 3, 4, zoneout=0.1),
    "learned_state: torch.nn has no": lambda: ours.Recurrent(lstm, 3, 4, learned_state=True),
    "torch.nn reads forward": lambda: ours.Recurrent(lstm, 3, 4, reverse=True),
    "merge: torch.nn has concat only, got sum": lambda: ours.Bidirectional(
        ours.Recurrent(lstm, 3, 4), ours.Recurrent(lstm, 3, 4, reverse=True), "sum"
    ),
    "got gru 4, lstm 4": lambda: ours.Stack([ours.Recurrent(lstm, 3, 4), ours.Recurrent(gru, 4, 4)]),
    "got lstm_projected 5 2, lstm_projected 5 3": lambda: ours.Stack(
        [ours.Recurrent(lstm_projected, 3, 5, projection_size=size) for size in (3, 2)]
    ),
    "residual: torch.nn adds no layer's input": lambda: ours.Stack(
        [ours.Recurrent(lstm, 3, 4), ours.Recurrent(lstm, 4, 4)], residual=True
    ),
    "got Stack": lambda: ours.Stack([ours.Stack([ours.Recurrent(lstm, 3, 4)])]),
}


@pytest.mark.parametrize("message", REFUSED)
def test_what_torch_has_not_is_refused_in_one_line(message):
    with pytest.raises(InputError, match=message) as caught:
        to_torch(REFUSED[message]())
    assert "\n" not in str(caught.value)


def test_other_modules_are_refused():
    with pytest.raises(InputError, match=r"expected torch.nn.RNN, LSTM or GRU, got Linear"):
        from_torch(nn.Linear(3, 4))
