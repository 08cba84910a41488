"""Many streams: whatever comes and goes beside it, each is the stream it would be alone."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.cells import CELLS
from recurra.compile import cpu
from recurra.errors import InputError, ShapeError
from recurra.nn import GRU, LSTM, Recurrent, Stack
from recurra.sequences import State
from recurra.streaming import Stream, StreamBatch

INPUT = 3


def recurrent(name, inputs=INPUT, hidden=5):
    c = CELLS.get(name)
    layer = Recurrent(c, inputs, hidden, projection_size=hidden - 2 if c.projects else 0)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer


EVENTS = st.lists(
    st.one_of(
        st.just(("join",)),
        st.tuples(st.sampled_from(["leave", "reset", "move"]), st.integers(0, 30)),
        st.tuples(st.just("feed"), st.sets(st.integers(0, 30), max_size=12)),
    ),
    max_size=40,
)


STACKS = {
    "stack": lambda: Stack([recurrent("lstm"), recurrent("gru", 5, 9)]),
    "residual": lambda: Stack([recurrent("lstm"), recurrent("gru", 5, 5)], residual=True),
}


@given(EVENTS, st.sampled_from([*CELLS.names(), *STACKS]))
def test_any_schedule_equals_streams_of_their_own(events, name):
    torch.manual_seed(0)
    layer = STACKS[name]() if name in STACKS else recurrent(name)
    batch, alone = StreamBatch(layer, 8), dict[int, Stream]()

    def chosen(number):
        return batch.keys[number % len(batch.keys)]

    for what, *which in events:
        if what == "join":
            if len(alone) == 8:
                with pytest.raises(InputError, match="all 8 places are taken"):
                    batch.join()
            else:
                alone[batch.join()] = Stream(layer)
        elif not alone:
            continue
        elif what == "leave":
            key = chosen(*which)
            batch.leave(key)
            del alone[key]
        elif what == "reset":
            key = chosen(*which)
            batch.reset(key)
            alone[key].reset()
        elif what == "move":
            key = chosen(*which)
            state = State.from_bytes(batch.state(key).to_bytes())
            batch.leave(key)
            alone[batch.join(state)] = alone.pop(key)
        else:
            keys = list({chosen(number): None for number in which[0]})
            x = torch.randn(len(keys), INPUT)
            y = batch.feed(keys, x)
            for key, step, got in zip(keys, x, y, strict=True):
                assert torch.equal(alone[key].feed(step), got)
        assert set(batch.keys) == set(alone) and len(batch) == len(alone)
    for key, stream in alone.items():
        assert all(torch.equal(batch.state(key)[n], stream.state[n]) for n in stream.state)


def test_a_mapping_gives_a_mapping():
    layer = LSTM(INPUT, 4)
    batch, alone = StreamBatch(layer, 3), Stream(layer)
    a, b, _ = (batch.join() for _ in range(3))
    x = torch.randn(2, INPUT)
    y = batch.feed({b: x[0], a: x[1]})
    assert list(y) == [b, a]
    assert torch.equal(y[b], alone.feed(x[0]))
    assert batch.feed({}) == {}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_change_no_bit(dtype, monkeypatch):
    layer = Stack([recurrent("lstm", INPUT, 20), recurrent("gru", 20, 9)]).to(dtype)
    x = torch.randn(4, 230, INPUT, dtype=dtype)
    counts = []
    launch = cpu.launch
    monkeypatch.setattr("recurra.compile.chain.launch", lambda *a: counts.append(a[-1].threads) or launch(*a))
    monkeypatch.setattr(cpu, "WORTH_A_THREAD", 0)

    def run():
        batch = StreamBatch(layer, 230)
        keys = [batch.join() for _ in range(230)]
        return torch.stack([batch.feed(keys, step) for step in x])

    alone = run()
    assert not counts
    torch.set_num_threads(2)
    try:
        assert torch.equal(run(), alone)
    finally:
        torch.set_num_threads(1)
    assert counts == [2] * 4 * 4


def test_in_bfloat16_it_runs_what_the_layers_run(close):
    layer = GRU(INPUT, 4).bfloat16()
    batch, alone = StreamBatch(layer, 3), Stream(layer)
    a, b, c = (batch.join() for _ in range(3))
    for _ in range(3):
        x = torch.randn(2, INPUT).bfloat16()
        close(batch.feed([c, a], x)[0], alone.feed(x[0]))
    assert not batch.state(b)["0.h"].any()


def test_a_language_models_streams():
    from recurra.modalities import MODALITIES
    from recurra.model import Model, ModelConfig

    config = ModelConfig.from_dict({"input": "text", "output": "next", "trunk": {"hidden": 6}})
    model = Model(config, MODALITIES.get("text").fit(config.modality, ["a b c d e"], running=True), {})
    batch, alone = StreamBatch(model, 2), Stream(model)
    a, b = batch.join(), batch.join()
    batch.feed({a: 3})
    y = batch.feed([a, b], torch.tensor([2, 4]))
    alone.feed(3)
    assert torch.equal(alone.feed(2), y[0])
    alone.reset()
    assert torch.equal(alone.feed(4), y[1])
    with pytest.raises(InputError, match="x: expected token ids from 0"):
        batch.feed({a: 99})
    with pytest.raises(ShapeError, match=r"x: expected token ids \[2\]"):
        batch.feed([a, b], torch.tensor([1, 2, 3]))


def test_keys_are_never_used_twice_and_wrong_ones_refused():
    batch = StreamBatch(GRU(INPUT, 4), 2)
    a = batch.join()
    batch.leave(a)
    b = batch.join()
    assert a != b
    for wrong in (batch.leave, batch.reset, batch.state, lambda key: batch.feed([key], torch.zeros(1, INPUT))):
        with pytest.raises(InputError, match=f"key {a}: no such stream"):
            wrong(a)


def test_what_is_wrong_is_refused_and_changes_nothing():
    batch = StreamBatch(GRU(INPUT, 4), 2)
    a, b = batch.join(), batch.join()
    x = torch.randn(2, INPUT)
    batch.feed([a, b], x)
    before = batch.state(a)
    for keys, step, said in [
        ([a, b], x[:1], r"x: expected \[2, 3\]"),
        ([a, b], x[:, :2], r"x: expected \[2, 3\]"),
        ([a, b], x.double(), "float64"),
        ([a, a], x, "each stream once"),
        ([a, b], None, "x: expected the inputs"),
        ({a: x[0], b: x[1][:2]}, None, "inputs of one shape"),
        ({a: x[0]}, x, "one mapping"),
    ]:
        with pytest.raises(InputError, match=said):
            batch.feed(keys, step)
    with pytest.raises(InputError, match="capacity: expected a positive integer"):
        StreamBatch(GRU(INPUT, 4), 0)
    batch.leave(b)
    with pytest.raises(ShapeError, match=r"state 0\.h"):
        batch.join(State({"0.h": torch.zeros(1, 5)}))
    assert batch.join() not in (a, b)
    assert torch.equal(batch.state(a)["0.h"], before["0.h"])
