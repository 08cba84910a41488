"""One stream: over every cell, stacks, drop-ins and language models, against the layers and against itself."""

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.bench import endless
from recurra.cells import CELLS
from recurra.compile import chain, reference, torch_kernels
from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.modalities import MODALITIES
from recurra.model import Model, ModelConfig
from recurra.nn import GRU, LSTM, RNN, Bidirectional, Recurrent, Stack
from recurra.sequences import Ragged, State
from recurra.streaming import Stream

INPUT = 7
DTYPES = {"float32": torch.float32, "float64": torch.float64}


def recurrent(name, inputs=INPUT, hidden=9, **options):
    c = CELLS.get(name)
    return Recurrent(c, inputs, hidden, projection_size=hidden - 2 if c.projects else 0, **options)


def randomised(module, dtype=torch.float32):
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return module.to(dtype)


SOURCES = {
    **{name: lambda name=name: recurrent(name) for name in CELLS.names()},
    **{f"{name}, no bias": lambda name=name: recurrent(name, bias=False) for name in CELLS.names()},
    **{
        f"{name}, residual": lambda name=name: Stack(
            [recurrent("gru"), recurrent(name, 9, 11 if CELLS.get(name).projects else 9), recurrent("lstm", 9, 9)],
            residual=True,
        )
        for name in CELLS.names()
    },
    "residual in residual": lambda: Stack(
        [recurrent("gru"), Stack([recurrent("lstm", 9), recurrent("gru", 9, 9)], residual=True)], residual=True
    ),
    "stack": lambda: Stack([recurrent("lstm"), recurrent("gru", 9, 17)], dropout=0.5),
    "stack in a stack": lambda: Stack(
        [recurrent("gru"), Stack([recurrent("lstm-projected", 9), recurrent("lstm", 7)])]
    ),
    "RNN": lambda: RNN(INPUT, 9, nonlinearity="relu", bias=False),
    "LSTM": lambda: LSTM(INPUT, 9, num_layers=2, proj_size=4, dropout=0.5),
    "GRU": lambda: GRU(INPUT, 64, num_layers=2, bias=False),
}
every_source = pytest.mark.parametrize("source", SOURCES)
both_dtypes = pytest.mark.parametrize("dtype", DTYPES.values(), ids=DTYPES)


def make(source, dtype=torch.float32):
    return randomised(SOURCES[source](), dtype).eval()


def whole(layer, x):
    """What the layer makes of all steps at once."""
    with torch.no_grad():
        return layer(Ragged.from_list([x]))[0].values


@every_source
@both_dtypes
def test_steps_chunks_and_the_layer_agree(source, dtype, close):
    layer, x = make(source, dtype), torch.randn(300, INPUT, dtype=dtype)
    stream = Stream(layer)
    steps = torch.stack([stream.feed(step) for step in x])
    state = stream.state
    stream.reset()
    chunks = torch.cat([stream.feed(part) for part in x.split([1, 0, 5, 294])])
    assert torch.equal(chunks, steps)
    assert all(torch.equal(stream.state[name], state[name]) for name in state)
    close(steps, whole(layer, x))


@given(st.lists(st.integers(0, 200), max_size=6), st.sampled_from(sorted(SOURCES)))
def test_how_the_steps_are_cut_changes_no_bit(cuts, source):
    torch.manual_seed(0)
    layer = make(source)
    x = torch.randn(sum(cuts), INPUT)
    ones, parts = Stream(layer), Stream(layer)
    for part in x.split(cuts):
        expected = [ones.feed(step) for step in part]
        got = parts.feed(part)
        assert got.shape == (len(part), layer(Ragged.from_list([x]))[0].values.shape[1])
        assert all(torch.equal(a, b) for a, b in zip(got, expected, strict=True))


@every_source
def test_what_is_saved_goes_on_where_it_was(source):
    layer, x = make(source), torch.randn(9, INPUT)
    stream = Stream(layer)
    stream.feed(x[:4])
    blob = stream.state.to_bytes()
    expected = stream.feed(x[4:])
    other = Stream(layer)
    other.state = State.from_bytes(blob)
    assert torch.equal(other.feed(x[4:]), expected)
    stream.state = State.from_bytes(blob)
    assert torch.equal(stream.feed(x[4:]), expected)


@every_source
def test_reset_is_the_beginning(source):
    layer, x = make(source), torch.randn(4, INPUT)
    stream = Stream(layer)
    first = stream.feed(x)
    assert any(stream.state[name].any() for name in stream.state.names)
    stream.reset()
    assert all(not value.any() for value in (stream.state[name] for name in stream.state))
    assert torch.equal(stream.feed(x), first)


@pytest.mark.parametrize("source", ["lstm", "stack", "stack in a stack"])
def test_its_state_is_the_networks_own(source, close):
    layer, x = make(source), torch.randn(6, INPUT)
    with torch.no_grad():
        _, state = layer(Ragged.from_list([x[:3]]))
        expected, final = layer(Ragged.from_list([x[3:]]), state)
    stream = Stream(layer)
    stream.state = state
    close(stream.feed(x[3:]), expected.values)
    assert stream.state.names == final.names
    for name in final:
        close(stream.state[name], final[name])


def test_a_states_copy_does_not_change_and_what_it_was_set_to_neither():
    stream, x = Stream(make("lstm")), torch.randn(2, INPUT)
    stream.feed(x[0])
    before = stream.state
    kept = before["h"].clone()
    stream.state = before
    stream.feed(x[1])
    assert torch.equal(before["h"], kept)
    assert not torch.equal(stream.state["h"], before["h"])


@every_source
@both_dtypes
def test_compiled_programs_run_and_nothing_else(source, dtype, monkeypatch):
    ran = []
    entry = chain.entry()

    def spy(table, x, y):
        ran.append(table)
        entry(table, x, y)

    def never(*args):
        raise AssertionError("not the compiled programs")

    monkeypatch.setattr(chain, "entry", lambda: spy)
    for other in (reference, torch_kernels):
        monkeypatch.setattr(other, "unroll", never)
    layer = make(source, dtype)
    stream = Stream(layer)
    stream.feed(torch.randn(INPUT, dtype=dtype))
    stream.feed(torch.randn(INPUT, dtype=dtype))
    # A whole step of all layers is one call; a chunk another one.
    assert len(ran) == 2 and len(set(ran)) == 1
    stream.feed(torch.randn(5, INPUT, dtype=dtype))
    assert len(ran) == 3


@every_source
def test_in_bfloat16_it_runs_what_the_layers_run(source, close):
    layer, x = make(source, torch.bfloat16), torch.randn(6, INPUT).bfloat16()
    stream = Stream(layer)
    steps = torch.stack([stream.feed(step) for step in x])
    stream.reset()
    close(stream.feed(x), steps)
    close(steps, whole(layer, x))


def test_training_goes_on_without_it():
    layer, x = make("gru"), torch.randn(3, INPUT)
    for dtype in (torch.float32, torch.bfloat16):
        layer, x = layer.to(dtype), x.to(dtype)
        stream = Stream(layer)
        before = stream.feed(x)
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.add_(1.0)
        stream.reset()
        assert torch.equal(stream.feed(x), before)
        assert not torch.equal(Stream(layer).feed(x), before)


def test_dropout_does_not_act():
    layer, x = make("stack"), torch.randn(3, INPUT)
    expected = Stream(layer).feed(x)
    assert torch.equal(Stream(layer.train()).feed(x), expected)


def test_what_is_fed_may_lie_anyhow_in_memory_and_wants_no_gradient():
    stream, wide = Stream(make("lstm")), torch.randn(4, 2 * INPUT, requires_grad=True)
    y = stream.feed(wide[:, ::2])
    assert not y.requires_grad
    stream.reset()
    assert torch.equal(torch.stack([stream.feed(step) for step in wide[:, ::2]]), y)
    stream.reset()
    assert torch.equal(stream.feed(torch.nn.Parameter(wide[0, ::2])), y[0])


def test_each_output_is_a_tensor_of_its_own():
    stream, x = Stream(make("gru")), torch.randn(2, INPUT)
    first = stream.feed(x[0])
    kept = first.clone()
    second = stream.feed(x[1])
    assert torch.equal(first, kept)
    second.zero_()
    assert stream.state["h"].any()


def test_made_in_inference_mode_and_used_outside():
    layer, x = make("lstm"), torch.randn(3, INPUT)
    with torch.inference_mode():
        stream = Stream(layer)
        inside = stream.feed(x)
        saved = stream.state
        stream.reset()
    assert torch.equal(stream.feed(x), inside)
    stream.state = saved
    stream.reset()
    assert torch.equal(stream.feed(x), inside)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_autocast_does_not_act(dtype, close):
    layer, x = make("stack", dtype), torch.randn(4, INPUT, dtype=dtype)
    expected = Stream(layer).feed(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        stream = Stream(layer)
        assert torch.equal(stream.feed(x), expected)
        stream.reset()
        assert torch.equal(stream.feed(x.to(torch.float64)).to(dtype), expected)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="a process's memory is read from Linux's /proc")
def test_memory_does_not_grow_with_steps():
    stream, x = Stream(make("stack")), torch.randn(INPUT)
    chunk = torch.randn(200, INPUT)

    def resident():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * 4096

    for _ in range(300):
        stream.feed(x)
        stream.feed(chunk)
    before = resident()
    for _ in range(20000):
        stream.feed(x)
    for _ in range(300):
        stream.feed(chunk)
    assert resident() - before < 2**20


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (lambda: recurrent("gru", reverse=True), "reads forwards only, got a Recurrent"),
        (
            lambda: Bidirectional(recurrent("gru"), recurrent("gru", reverse=True)),
            "got a Bidirectional",
        ),
        (lambda: Stack([Bidirectional(recurrent("gru"), recurrent("gru", reverse=True))]), "reads forwards only"),
        (lambda: LSTM(INPUT, 4, bidirectional=True), "reads forwards only"),
        (lambda: torch.nn.Linear(3, 4), "expected a Recurrent.*got Linear"),
        (lambda: torch.nn.LSTM(3, 4), "expected a Recurrent.*got LSTM"),
    ],
)
def test_what_cannot_be_streamed_is_refused(source, what):
    with pytest.raises(InputError, match=what):
        Stream(source())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_wrong_step_is_refused_and_changes_nothing(dtype):
    stream = Stream(make("lstm", dtype))
    stream.feed(torch.randn(INPUT, dtype=dtype))
    before = stream.state
    x = torch.randn(INPUT, dtype=dtype)
    for wrong, said in [
        (x[:-1], r"x: expected \[7\].*got \[6\]"),
        (x[None, None], r"x: expected \[7\].*got \[1, 1, 7\]"),
        (torch.randn(3, INPUT + 1, dtype=dtype), r"x: expected \[T, 7\].*got \[3, 8\]"),
        (x.double(), r"x: expected \[7\].*got \[7\] torch.float64"),
        (x.to("meta"), r"x: expected \[7\].*on cpu, got \[7\].* on meta"),
        (torch.tensor(1.0, dtype=dtype), r"x: expected \[7\].*got \[\]"),
    ]:
        with pytest.raises(ShapeError, match=said):
            stream.feed(wrong)
    with pytest.raises(InputError, match="x: expected a tensor, got int"):
        stream.feed(3)
    assert torch.equal(stream.state["h"], before["h"])


def test_a_wrong_state_is_refused_and_changes_nothing():
    stream = Stream(make("lstm"))
    stream.feed(torch.randn(INPUT))
    before = stream.state
    good = {name: torch.ones(1, 9) for name in "hc"}
    for wrong in (
        good | {"c": torch.ones(1, 8)},
        {n: torch.ones(2, 9) for n in "hc"},
        good | {"c": good["c"].double()},
    ):
        with pytest.raises(ShapeError, match=r"state (c|h): expected"):
            stream.state = State(wrong)
    with pytest.raises(UnknownNameError, match="state 'c'"):
        stream.state = State({"h": torch.ones(1, 9)})
    assert torch.equal(stream.state["h"], before["h"])


# --- language models ---

TEXT = "the cat sat on the mat, and the quick brown fox jumped over it\n" * 3


def language_model(dtype=torch.float32, **trunk):
    values = {"input": "text", "output": "next", "modality": {"unit": "char"}, "trunk": {"hidden": 24, **trunk}}
    config = ModelConfig.from_dict(values)
    modality = MODALITIES.get("text").fit(config.modality, [TEXT], running=True)
    model = Model(config, modality, {})
    torch.nn.init.normal_(model.head.output.bias)
    return model.to(dtype)


@both_dtypes
@pytest.mark.parametrize(
    "trunk",
    [
        {},
        {"layers": 2, "dropout": 0.5},
        {"embedding": 10},
        {"cell": "gru"},
        {"cell": ["gru", "lstm", "gru"], "hidden": [12, 12, 5], "residual": True},
    ],
    ids=str,
)
def test_a_language_models_stream_equals_the_model(trunk, dtype, close):
    model = language_model(dtype, **trunk)
    ids = model.modality.encode(TEXT)
    with model.evaluating():
        features, _, _ = model.features(Ragged.from_list([ids]))
        expected = model.head.logits(features.values)
    stream = Stream(model)
    steps = torch.stack([stream.feed(token) for token in ids.tolist()])
    close(steps, expected)
    stream.reset()
    assert torch.equal(stream.feed(ids), steps)
    stream.reset()
    assert torch.equal(torch.stack([stream.feed(token) for token in ids]), steps)


def test_a_language_model_in_bfloat16(close):
    model = language_model(torch.bfloat16)
    ids = model.modality.encode(TEXT[:20])
    stream = Stream(model)
    steps = torch.stack([stream.feed(token) for token in ids.tolist()])
    stream.reset()
    close(stream.feed(ids), steps)


def test_a_wrong_token_is_refused():
    model = language_model()
    stream, size = Stream(model), model.tokens.size
    for wrong in (-1, size, torch.tensor([0, size]), torch.tensor(-1)):
        with pytest.raises(InputError, match=f"x: expected token ids from 0 to {size - 1}"):
            stream.feed(wrong)
    for wrong in (torch.zeros(3), torch.zeros(2, 2, dtype=torch.int64), torch.tensor(0.0), torch.zeros(24)):
        with pytest.raises(ShapeError, match=r"x: expected .*ids"):
            stream.feed(wrong)
    with pytest.raises(InputError, match=r"x: expected a token's id .*got str"):
        stream.feed("a")


def test_another_head_is_refused():
    values = {"input": "text", "output": "category", "trunk": {"hidden": 8}}
    config = ModelConfig.from_dict(values)
    modality = MODALITIES.get("text").fit(config.modality, [TEXT])
    with pytest.raises(InputError, match="expected a language model, got one whose head is 'category'"):
        Stream(Model(config, modality, {"labels": ["a", "b"], "weights": [1.0, 1.0]}))


@pytest.mark.parametrize("chunk", [(), (4,)], ids=["by steps", "by chunks"])
def test_no_number_of_steps_takes_more_memory(chunk):
    """A row of this state has 4 KiB: to keep one at each step would hold eight megabytes."""
    stream, x, kept = Stream(recurrent("indrnn", hidden=1024)), torch.randn(*chunk, INPUT), []

    def growth(work):
        found = endless.held(work, 2000)
        return {what: found["late"][what] - found["early"][what] for what in found["late"]}

    flat, leaking = growth(lambda: stream.feed(x)), growth(lambda: kept.append(stream.feed(x)))
    assert flat["resident"] < 2000 and flat["Python's"] < 500
    assert leaking["resident"] > 6000 and leaking["Python's"] > 1500
