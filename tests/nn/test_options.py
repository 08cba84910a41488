"""What a recurrent layer can be asked for beyond its cell."""

import copy

import pytest
import torch

from recurra.cells import CELLS, Mask, cell
from recurra.compile import path, watch
from recurra.errors import InputError, UnknownNameError
from recurra.nn import Bidirectional, Dropout, Recurrent, Stack
from recurra.sequences import Ragged
from recurra.streaming import Stream

LSTM, GRU, SLSTM = (CELLS.get(name) for name in ("lstm", "gru", "slstm"))
OPTIONS = {"recurrent_dropout": 0.5, "zoneout": {"c": 0.3}, "weight_drop": 0.4, "clip_gradient": 0.1}


def batch(*lengths):
    return Ragged.from_list([torch.randn(n, 3) for n in lengths])


@pytest.mark.parametrize(("option", "value"), OPTIONS.items())
def test_training_draws_and_evaluation_does_not(option, value):
    layer, x = Recurrent(LSTM, 3, 8, **{option: value}), batch(6, 2)
    first, second = layer(x)[0].values, layer(x)[0].values
    assert torch.equal(first, second) == (option == "clip_gradient")
    torch.manual_seed(7)
    drawn = layer(x)[0].values
    torch.manual_seed(7)
    assert torch.equal(layer(x)[0].values, drawn)
    layer.eval()
    assert torch.equal(layer(x)[0].values, layer(x)[0].values)
    if option != "zoneout":
        plain = Recurrent(LSTM, 3, 8).eval()
        plain.load_state_dict(layer.state_dict())
        assert torch.equal(layer(x)[0].values, plain(x)[0].values)


def test_all_of_it_is_compiled():
    layer = Bidirectional(*(Recurrent(LSTM, 3, 8, reverse=r, **OPTIONS) for r in (False, True)))
    with watch() as seen:
        y, _ = Stack([layer, Recurrent(GRU, 16, 5, zoneout=0.1)])(batch(4, 0, 7))
        y.values.sum().backward()
    assert {ran.choice.path for ran in seen} == {"kernel"}
    assert all(p.grad is not None for p in layer.parameters())


def test_a_dropped_mask_is_the_same_at_every_step():
    """A state that is only what entered its product: what the mask zeroes stays silent for the whole sequence."""
    layer = Recurrent(CELLS.get("rnn-relu"), 3, 400, bias=False, recurrent_dropout=0.5)
    with torch.no_grad():
        layer.weight_ih.zero_()
        layer.params["U"].copy_(torch.eye(400))
        ones = layer.initial_state(2)
        start = type(ones)({"h": torch.ones(2, 400)})
        y, _ = layer(batch(5, 5), start)
    for sequence in y.unbind():
        assert sequence[0].bool().eq(sequence.bool()).all()
        assert sequence[0].bool().float().mean().item() == pytest.approx(0.5, abs=0.1)
    assert not torch.equal(y[0][0], y[1][0])


def test_weight_drop_zeroes_recurrent_weights_and_nothing_else():
    layer = Recurrent(LSTM, 3, 50, weight_drop=0.3)
    dropped = layer.cell_weights(training=True)["U"]
    kept = dropped != 0
    assert kept.float().mean().item() == pytest.approx(0.7, abs=0.05)
    torch.testing.assert_close(dropped[kept], layer.params["U"][kept] / 0.7)
    assert torch.equal(layer.cell_weights(training=False)["U"], layer.params["U"])


def test_heads_do_not_hear_each_other():
    layer, x = Recurrent(SLSTM, 3, 8, heads=2), batch(5)
    assert layer.params["U"].shape == (32, 4)
    before, _ = layer(x)
    with torch.no_grad():
        rows = layer.params["U"].view(4, 2, 4, 4)
        rows[:, 1] += 1.0
        after, _ = layer(x)
    assert torch.equal(before.values[:, :4], after.values[:, :4])
    assert not torch.allclose(before.values[:, 4:], after.values[:, 4:])


def test_one_head_hears_all():
    one, x = Recurrent(SLSTM, 3, 8), batch(4)
    assert one.params["U"].shape == (32, 8)
    assert path(SLSTM, x) == "kernel"


def test_chrono_biases_are_for_about_so_many_steps():
    layer = Recurrent(LSTM, 3, 500, chrono=100)
    i, f, g, _ = layer.bias_ih.view(4, 500)
    steps = f.exp()
    assert torch.equal(i, -f)
    assert not g.any()
    assert steps.min() >= 1 and steps.max() <= 99.01
    assert steps.mean().item() == pytest.approx(50, rel=0.1)


def test_a_learned_state_is_where_sequences_and_streams_begin():
    layer = Recurrent(GRU, 3, 4, learned_state=True)
    x = batch(3, 0)
    y, final = layer(x)
    y.values.sum().backward()
    assert layer.start["h"].grad.any()
    with torch.no_grad():
        layer.start["h"].fill_(0.5)
        y, final = layer(x)
        assert final["h"][1].eq(0.5).all()
        stream = Stream(layer)
        assert torch.allclose(torch.stack([stream.feed(step) for step in x[0]]), y[0], atol=1e-6)
        stream.reset()
        assert stream.state["h"].eq(0.5).all()


def test_streams_run_what_evaluation_runs():
    layer, x = Recurrent(LSTM, 3, 8, **OPTIONS), batch(6)
    stream = Stream(layer)  # of a layer that is still in training
    layer.eval()
    with torch.no_grad():
        assert torch.allclose(stream.feed(x[0]), layer(x)[0].values, atol=1e-6)


def test_copies_keep_their_options():
    layer, x = Recurrent(LSTM, 3, 8, **OPTIONS), batch(6)
    twin = copy.deepcopy(layer)
    torch.manual_seed(3)
    expected = layer(x)[0].values
    torch.manual_seed(3)
    assert torch.equal(twin(x)[0].values, expected)


@pytest.mark.parametrize(
    ("cell", "options", "error", "message"),
    [
        (LSTM, {"recurrent_dropout": 1.5}, InputError, "recurrent_dropout"),
        (LSTM, {"zoneout": {"z": 0.1}}, UnknownNameError, "state of lstm"),
        (LSTM, {"zoneout": 1.5}, InputError, "zoneout"),
        (LSTM, {"heads": 2}, InputError, "heads: expected 1, as lstm has no heads"),
        (SLSTM, {"heads": 3}, InputError, "heads: expected a divisor of 8, got 3"),
        (LSTM, {"chrono": 1.0}, InputError, "chrono"),
        (LSTM, {"chrono": 10, "bias": False}, InputError, "chrono"),
        (CELLS.get("rnn-tanh"), {"chrono": 10}, InputError, "chrono"),
        (LSTM, {"clip_gradient": -1.0}, InputError, "clip_gradient: expected 0 or more"),
        (CELLS.get("min-gru"), {"recurrent_dropout": 0.1}, InputError, "no matrix product"),
        (
            CELLS.get("min-gru"),
            {"weight_drop": 0.1},
            InputError,
            "weight_drop: expected 0, as min_gru has no recurrent",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(cell, options, error, message):
    with pytest.raises(error, match=message):
        Recurrent(cell, 3, 8, **options)


def test_variational_dropout_is_one_mask_a_sequence():
    x = Ragged.from_list([torch.ones(4, 300), torch.ones(0, 300), torch.ones(6, 300)])
    dropout = Dropout(0.4, variational=True)
    y = dropout(x)
    for sequence in (y[0], y[2]):
        assert sequence.eq(sequence[0]).all()
        assert sequence[0].bool().float().mean().item() == pytest.approx(0.6, abs=0.1)
    assert not torch.equal(y[0][0], y[2][0])
    assert torch.equal(dropout.eval()(x).values, x.values)
    stack = Stack([Recurrent(GRU, 3, 8), Recurrent(GRU, 8, 8)], dropout=0.4, variational=True)
    stack(batch(3, 2))[0].values.sum().backward()


@pytest.mark.parametrize("name", CELLS.names())
def test_states_and_gates_can_be_looked_at(name, close):
    """States are those of a loop of steps, and gates lie where activations do."""
    cell = CELLS.get(name)
    layer, x = Recurrent(cell, 3, 8, projection_size=3 if cell.projects else 0), batch(4, 0, 2)
    seen = layer.inspect(x)
    assert set(cell.states) <= set(seen) <= {*cell.states, *cell.gates}
    assert torch.equal(seen[cell.output].values, layer(x)[0].values.detach())
    state = layer.initial_state(1)
    for t in range(4):
        _, state = layer(Ragged.from_list([x[0][t : t + 1]]), state)
        for n in cell.states:
            close(seen[n][0][t], state[n][0].detach())
    for gate in set(seen) - set(cell.states):
        assert seen[gate].values.abs().max() <= 1


def test_a_gates_value_is_the_gates():
    layer, x = Recurrent(LSTM, 3, 8), batch(1)
    i, f, g, o = (x.values @ layer.weight_ih.T + layer.bias_ih).chunk(4, dim=1)
    seen = layer.inspect(x)
    for gate, value in (("i", i.sigmoid()), ("f", f.sigmoid()), ("g", g.tanh()), ("o", o.sigmoid())):
        assert torch.allclose(seen[gate].values, value, atol=1e-6)


def test_a_cells_own_random_values_rest_in_evaluation_and_are_not_streamed():
    @cell(gates=("a",), states=("h",))
    def masked(wx, h, *, keep=Mask("H")):
        return (wx + h * keep).tanh()

    layer, x = Recurrent(masked, 3, 40, recurrent_dropout=0.0), batch(5)
    layer.recurrent_dropout = 0.5
    assert not torch.equal(layer(x)[0].values, layer(x)[0].values)
    layer.eval()
    assert torch.equal(layer(x)[0].values, layer(x)[0].values)
    with pytest.raises(InputError, match=r"masked has random values of its own \(keep\)"):
        Stream(layer)
