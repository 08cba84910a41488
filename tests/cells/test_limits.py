"""Limit cases of each cell that a reader can check by eye: one step of two hidden units, recurrent weights 0 or 1."""

import pytest
import torch
from torch import tensor, zeros

from recurra.cells import CELLS

H = tensor([[1.0, -2.0]])
C = tensor([[0.5, -3.0]])


def step(name, wx, *states, **given):
    """One step with parameters of zeros, but for those given."""
    cell = CELLS.get(name)
    shapes = cell.parameter_shapes(hidden=2, projected=1)
    return cell(tensor([wx]), *states, **({n: zeros(shape) for n, shape in shapes.items()} | given))


def assert_close(actual, expected):
    torch.testing.assert_close(actual, torch.as_tensor(expected))


def test_rnn_tanh_of_its_input_alone():
    assert_close(step("rnn-tanh", [0.0, 20.0], H)[0], [[0.0, 1.0]])


def test_rnn_tanh_adds_its_recurrent_input():
    assert_close(step("rnn-tanh", [-1.0, 2.5], H, U=torch.eye(2))[0], [[0.0, 0.46211716]])


def test_rnn_relu_with_identity_counts_and_never_goes_below_zero():
    assert_close(step("rnn-relu", [1.0, 1.0], H, U=torch.eye(2))[0], [[2.0, 0.0]])


def test_gru_with_zero_weights_halves_the_state():
    assert_close(step("gru", [0.0] * 6, H)[0], [[0.5, -1.0]])


def test_gru_with_open_update_gate_keeps_the_state():
    assert_close(step("gru", [0.0, 0.0, 40.0, 40.0, 7.0, 7.0], H)[0], H)


def test_gru_with_closed_update_gate_takes_the_candidate():
    assert_close(step("gru", [0.0, 0.0, -40.0, -40.0, 20.0, -20.0], H)[0], [[1.0, -1.0]])


@pytest.mark.parametrize(("reset", "candidate"), [(-40.0, 0.0), (40.0, 1.0)])
def test_gru_resets_after_the_product_bias_included(reset, candidate):
    b = tensor([0.0, 0.0, 0.0, 0.0, 20.0, 20.0])
    assert_close(step("gru", [reset, reset, -40.0, -40.0, 0.0, 0.0], H, b=b)[0], [[candidate, candidate]])


def lstm_input(i, f, g, o):
    return [i, i, f, f, g, g, o, o]


def test_lstm_with_open_forget_gate_keeps_the_cell():
    h, c = step("lstm", lstm_input(i=-40.0, f=40.0, g=9.0, o=40.0), H, C)
    assert_close(c, C)
    assert_close(h, C.tanh())


def test_lstm_with_closed_forget_gate_takes_the_candidate():
    h, c = step("lstm", lstm_input(i=40.0, f=-40.0, g=20.0, o=0.0), H, C)
    assert_close(c, [[1.0, 1.0]])
    assert_close(h, [[0.3807971, 0.3807971]])


def test_lstm_with_closed_output_gate_is_silent():
    assert_close(step("lstm", lstm_input(i=0.0, f=0.0, g=0.0, o=-40.0), H, C)[0], [[0.0, 0.0]])


def test_lstm_projected_sums_its_units():
    h, c = step(
        "lstm-projected", lstm_input(i=-40.0, f=40.0, g=0.0, o=40.0), tensor([[4.0]]), C, V=tensor([[1.0, 1.0]])
    )
    assert_close(c, C)
    assert_close(h, C.tanh().sum(1, keepdim=True))


def test_lstm_projected_listens_to_its_projected_output():
    U = zeros(8, 1)
    U[2:4] = 10.0
    _, c = step("lstm-projected", lstm_input(i=-40.0, f=0.0, g=0.0, o=0.0), tensor([[-4.0]]), C, U=U)
    assert_close(c, [[0.0, 0.0]])


U, V = tensor([[0.3, -0.2], [0.5, 0.1]]), tensor([[-0.4, 0.6], [0.2, 0.7]])


def test_gru_reset_before_with_open_reset_gate_multiplies_the_whole_state():
    (h,) = step("gru-reset-before", [40.0, 40.0, -40.0, -40.0, 0.0, 0.0], H, V=V)
    assert_close(h, (H @ V.T).tanh())


def test_gru_reset_before_with_closed_reset_gate_hears_the_input_alone():
    (h,) = step("gru-reset-before", [-40.0, -40.0, -40.0, -40.0, 20.0, -20.0], H, V=V)
    assert_close(h, [[1.0, -1.0]])


def test_lstm_peephole_without_peepholes_is_the_lstm():
    wx, U4 = [0.1 * i for i in range(8)], torch.cat([U, V, -U, V.T])
    for got, expected in zip(step("lstm-peephole", wx, H, C, U=U4), step("lstm", wx, H, C, U=U4), strict=True):
        assert_close(got, expected)


def test_lstm_peepholes_look_at_the_old_cell_and_the_output_gate_at_the_new():
    p = tensor([0.0, 0.0, 100.0, 100.0, 100.0, 100.0])
    h, c = step("lstm-peephole", lstm_input(i=-40.0, f=0.0, g=0.0, o=0.0), H, C, p=p)
    assert_close(c, [[0.5, 0.0]])  # forgotten where the cell was negative
    assert_close(h, [[0.46211716, 0.0]])


def test_lstm_coupled_takes_in_what_it_forgets():
    wx = [1.0, -2.0, 0.3, 0.4, 0.0, 0.0]
    _, c = step("lstm-coupled", wx, H, C)
    f = tensor([[1.0, -2.0]]).sigmoid()
    assert_close(c, f * C + (1 - f) * tensor([[0.3, 0.4]]).tanh())


def test_lstm_layer_norm_does_not_see_how_large_its_input_is():
    wx, ones = [3.0, -1.0, 0.5, 2.0, -2.0, 1.0, 0.0, 4.0], {"s": torch.ones(8), "u": torch.ones(2)}
    small = step("lstm-layer-norm", wx, H, C, **ones)
    large = step("lstm-layer-norm", [1000 * x + 7 for x in wx], H, C, **ones)
    for got, expected in zip(large, small, strict=True):
        torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_gru_layer_norm_with_open_update_gate_keeps_the_state():
    b = tensor([0.0, 0.0, 40.0, 40.0, 0.0, 0.0])
    assert_close(step("gru-layer-norm", [1.0, 2.0, 3.0, 4.0, 5.0, 6.0], H, s=torch.ones(6), b=b)[0], H)


def test_indrnn_with_ones_counts():
    assert_close(step("indrnn", [1.0, 1.0], H, u=torch.ones(2))[0], [[2.0, 0.0]])


def test_mgu_with_closed_gate_keeps_the_state_and_open_takes_the_candidate():
    assert_close(step("mgu", [-40.0, -40.0, 5.0, 5.0], H, V=V)[0], H)
    assert_close(step("mgu", [40.0, 40.0, 0.0, 0.0], H, V=V)[0], (H @ V.T).tanh())


def test_li_gru_with_closed_update_gate_is_rectified():
    assert_close(step("li-gru", [-40.0, -40.0, 3.0, -3.0], H)[0], [[3.0, 0.0]])


def test_min_gru_moves_halfway_to_the_candidate():
    assert_close(step("min-gru", [0.0, 0.0, 3.0, 4.0], H)[0], [[2.0, 1.0]])


def test_min_lstm_shares_between_state_and_candidate():
    assert_close(step("min-lstm", [7.0, 7.0, 7.0, 7.0, 3.0, 4.0], H)[0], [[2.0, 1.0]])
    assert_close(step("min-lstm", [-200.0, -200.0, 9.0, 9.0, 3.0, 4.0], H)[0], [[3.0, 4.0]])


def test_sru_passes_the_input_by_where_its_highway_gate_is_shut():
    h, c = step("sru", [3.0, 4.0, 0.0, 0.0, -40.0, 40.0, 8.0, 9.0], H, C)
    assert_close(c, [[1.75, 0.5]])
    assert_close(h, [[8.0, 0.5]])


def test_qrnn_pools():
    h, c = step("qrnn", [20.0, -20.0, 0.0, 0.0, 0.0, 40.0], H, C)
    assert_close(c, [[0.75, -2.0]])
    assert_close(h, [[0.375, -2.0]])


def test_slstm_first_step_is_the_candidate_whatever_the_input_gate():
    for i in (-30.0, 0.0, 30.0, 500.0):
        h, _, n, m = step("slstm", [i, i, 0.0, 0.0, 20.0, -20.0, 40.0, 40.0], H, zeros(1, 2), zeros(1, 2), zeros(1, 2))
        assert_close(h, [[1.0, -1.0]])
        assert n.isfinite().all() and m.isfinite().all()


def test_slstm_forgets_all_for_a_much_larger_input_gate():
    h, _, _, _ = step("slstm", [99.0, 99.0, 0.0, 0.0, 20.0, -20.0, 40.0, 40.0], H, 9 * C, C.abs(), zeros(1, 2))
    assert_close(h, [[1.0, -1.0]])


def test_rg_lru_with_shut_recurrence_gate_keeps_the_state_and_open_forgets_by_its_rate():
    assert_close(step("rg-lru", [-40.0, -40.0, -40.0, -40.0, 5.0, 5.0], H)[0], H)
    (h,) = step("rg-lru", [40.0, 40.0, 40.0, 40.0, 3.0, 4.0], H)
    a = 0.5**8
    assert_close(h, a * H + (1 - a * a) ** 0.5 * tensor([[3.0, 4.0]]))
