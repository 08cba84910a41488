"""State: names, rows, and bytes that are what they were or an error."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save

from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.sequences import State


def lstm_state(rows=3):
    return State({"h": torch.randn(rows, 2), "c": torch.randn(rows, 4)})


def same(a, b):
    assert a.names == b.names
    assert all(torch.equal(a[n], b[n]) and a[n].dtype == b[n].dtype for n in a.names)


def test_group_and_part_are_inverse():
    layers = {"0": lstm_state(), "1": State.group({"forward": lstm_state(), "backward": lstm_state()})}
    whole = State.group(layers)
    assert whole.names == ("0.h", "0.c", "1.forward.h", "1.forward.c", "1.backward.h", "1.backward.c")
    assert len(whole) == 3
    same(whole.part("0"), layers["0"])
    same(whole.part("1").part("backward"), layers["1"].part("backward"))
    with pytest.raises(UnknownNameError, match="'2'"):
        whole.part("2")
    with pytest.raises(UnknownNameError, match=r"did you mean '1\.forward\.h'"):
        whole["1.forwards.h"]


def test_layer_1_is_not_layer_10():
    whole = State.group({str(i): State({"h": torch.full((1, 1), float(i))}) for i in range(11)})
    assert whole.part("1").names == ("h",)
    assert whole.part("1")["h"].item() == 1.0


def test_reset_changes_the_named_rows_only():
    state = lstm_state()
    new = state.reset([0, 2])
    assert new["c"][[0, 2]].eq(0).all()
    assert torch.equal(new["c"][1], state["c"][1])
    assert not state["c"].eq(0).any()
    start = lstm_state(rows=1)
    new = state.reset(torch.tensor([1]), initial=start)
    assert torch.equal(new["h"][1], start["h"][0])
    assert torch.equal(new["h"][[0, 2]], state["h"][[0, 2]])
    same(state.reset([]), state)
    with pytest.raises(ShapeError, match="initial: expected one row of h, c"):
        state.reset([0], initial=lstm_state(rows=2))
    with pytest.raises(ShapeError, match="initial"):
        state.reset([0], initial=State({"h": torch.zeros(1, 2)}))


def test_select_takes_rows_in_order_and_passes_gradients():
    h = torch.randn(3, 2, requires_grad=True)
    chosen = State({"h": h}).select([2, 0, 2])
    assert torch.equal(chosen["h"], h[[2, 0, 2]])
    chosen["h"].sum().backward()
    assert h.grad[:, 0].tolist() == [1.0, 0.0, 2.0]
    assert not chosen.detach()["h"].requires_grad
    with pytest.raises(ShapeError, match="rows"):
        State({"h": h}).select(torch.tensor([True, False, True]))


def test_it_moves():
    assert lstm_state().to(torch.float64)["h"].dtype == torch.float64
    assert lstm_state().to("meta")["c"].device.type == "meta"


@given(st.integers(0, 3), st.sampled_from([torch.float32, torch.float64, torch.bfloat16]))
def test_bytes_there_and_back(rows, dtype):
    state = State.group({"10": lstm_state(rows).to(dtype), "2": lstm_state(rows)})
    same(State.from_bytes(state.to_bytes()), state)
    same(State.from_bytes(state.select([]).to_bytes()), state.select([]))


def test_views_are_saved_as_they_read():
    state = State({"h": torch.arange(6.0).view(2, 3).t(), "c": torch.zeros(1, 1).expand(3, 5)})
    same(State.from_bytes(state.to_bytes()), state)


def test_every_damaged_byte_is_noticed():
    blob = State({"h": torch.tensor([[1.0, 2.0]])}).to_bytes()
    for i in range(len(blob)):
        damaged = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :]
        with pytest.raises(InputError):
            State.from_bytes(damaged)


@given(st.binary(max_size=64))
def test_foreign_bytes_are_refused(blob):
    with pytest.raises(InputError, match=r"State\.to_bytes"):
        State.from_bytes(blob)


@pytest.mark.parametrize("cut", [0, 4, 40, -1])
def test_a_cut_blob_is_refused(cut):
    with pytest.raises(InputError):
        State.from_bytes(lstm_state().to_bytes()[:cut])


def test_other_safetensors_are_refused():
    with pytest.raises(InputError):
        State.from_bytes(save({"h": torch.zeros(1, 2)}))
    with pytest.raises(InputError, match=r"recurra.state.1, got other"):
        State.from_bytes(save({"h": torch.zeros(1, 2)}, metadata={"format": "other"}))


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"h": torch.zeros(3)},
        {"h": torch.zeros(2, 1), "c": torch.zeros(3, 1)},
        {"h": torch.zeros(1, 2, 3), "c": torch.zeros(2, 2)},
    ],
)
def test_misshapen_states_are_refused(tensors):
    with pytest.raises(InputError):
        State(tensors)
