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
