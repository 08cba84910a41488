"""Layers over frames: against plain loops, against matrices, and against themselves."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as some
from torch.nn.functional import binary_cross_entropy_with_logits, conv2d

from recurra.cells import CELLS
from recurra.compile import watch
from recurra.errors import InputError, ShapeError, UnknownNameError
from recurra.export import keras_weights, to_onnx
from recurra.nn import Bidirectional, ConvLSTM, Convolutional, Recurrent, Stack
from recurra.nn.kernels import kernels
from recurra.sequences import Ragged, State
from recurra.streaming import Stream

CHANNELS, HIDDEN, FRAME = 2, 3, (5, 4)
LSTM, GRU = CELLS.get("lstm"), CELLS.get("gru")
every_cell = pytest.mark.parametrize("name", CELLS.names())
both_ways = pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
any_lengths = some.lists(some.integers(0, 4), min_size=1, max_size=4)


def drawn(layer, dtype=torch.float64):
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.4)
    return layer.to(dtype)


def make(name, **options):
    cell = CELLS.get(name)
    return drawn(Convolutional(cell, CHANNELS, HIDDEN, projection_size=HIDDEN - 1 if cell.projects else 0, **options))


def batch(*lengths, frame=FRAME, channels=CHANNELS):
    return Ragged.from_list([torch.randn(n, channels, *frame, dtype=torch.float64) for n in lengths])


def start(layer, rows, frame=FRAME):
    zeros = layer.initial_state(rows)
    return State({n: torch.rand(*zeros[n].shape[:2], *frame, dtype=torch.float64) + 0.1 for n in zeros})


def conv_lstm_loop(layer, frames, h, c, reverse):
    """One sequence, equation by equation as in the paper. frames: [T, I, ...]. h, c: [1, H, ...]."""
    at_each = layer.params["p"].movedim(-1, 0).chunk(3) if "p" in layer.params else (0.0, 0.0, 0.0)
    outputs = [None] * len(frames)
    for t in reversed(range(len(frames))) if reverse else range(len(frames)):
        gates = conv2d(frames[t : t + 1], layer.weight_ih, layer.bias_ih, padding="same")
        i, f, g, o = (gates + conv2d(h, layer.params["U"], padding="same")).chunk(4, dim=1)
        c_before = c
        c = (f + at_each[1] * c_before).sigmoid() * c_before + (i + at_each[0] * c_before).sigmoid() * g.tanh()
        h = (o + at_each[2] * c).sigmoid() * c.tanh()
        outputs[t] = h[0]
    return outputs, h, c


@given(lengths=any_lengths, reverse=some.booleans(), peepholes=some.booleans(), kernel=some.sampled_from([1, 3, 5]))
def test_equals_a_plain_loop_over_each_sequence(lengths, reverse, peepholes, kernel, close):
    layer = ConvLSTM(CHANNELS, HIDDEN, kernel, peepholes=FRAME if peepholes else None, reverse=reverse)
    drawn(layer)
    x, begin = batch(*lengths), start(layer, len(lengths))
    y, final = layer(x, begin)
    assert y.values.shape == (sum(lengths), HIDDEN, *FRAME)
    for b, frames in enumerate(x.unbind()):
        outputs, h, c = conv_lstm_loop(layer, frames, begin["h"][b : b + 1], begin["c"][b : b + 1], reverse)
        for got, expected in zip(y[b], outputs, strict=True):
            close(got, expected)
        close(final["h"][b : b + 1], h)
        close(final["c"][b : b + 1], c)
    close(layer.last(final), final["h"])


@every_cell
@both_ways
@pytest.mark.parametrize("frame", [None, (1, 1)], ids=["vectors", "vectors for each place"])
def test_one_place_and_kernels_of_one_are_the_plain_layer(name, reverse, frame, close):
    layer = make(name, kernel_size=1, reverse=reverse, frame=frame)
    plain = Recurrent(layer.cell, CHANNELS, HIDDEN, projection_size=layer.projection_size, reverse=reverse).double()
    plain.load_state_dict({n: w.reshape(plain.state_dict()[n].shape) for n, w in layer.state_dict().items()})
    x, begin = batch(3, 0, 4, frame=(1, 1)), start(layer, 3, (1, 1))
    y, final = layer(x, begin)
    expected, after = plain(x.with_values(x.values.flatten(1)), State({n: begin[n].flatten(1) for n in begin}))
    close(y.values.flatten(1), expected.values)
    for n in final:
        close(final[n].flatten(1), after[n])


@every_cell
@both_ways
def test_gradient_equals_central_differences(name, reverse):
    layer, x = make(name, reverse=reverse, frame=(2, 3)), batch(3, 0, 1, frame=(2, 3))
    begin = start(layer, 3, (2, 3))
    names = [n for n, _ in layer.named_parameters()]

    def run(values, *rest):
        states = State(dict(zip(begin, rest[: len(begin.names)], strict=True)))
        weights = dict(zip(names, rest[len(begin.names) :], strict=True))
        y, final = torch.func.functional_call(layer, weights, (x.with_values(values), states))
        return (y.values, *(final[n] for n in final))

    tensors = [x.values, *(begin[n] for n in begin), *(p.detach() for p in layer.parameters())]
    assert torch.autograd.gradcheck(run, [t.requires_grad_() for t in tensors], fast_mode=True)


@every_cell
@both_ways
def test_alone_equals_batched_and_reverse_equals_flip(name, reverse, close):
    layer, other, x = make(name, reverse=reverse), make(name, reverse=not reverse), batch(4, 0, 2)
    other.load_state_dict(layer.state_dict())
    begin = start(layer, 3)
    y, final = layer(x, begin)
    for b in range(3):
        alone, after = layer(x[[b]], begin.select([b]))
        close(alone.values, y[b])
        for n in final:
            close(after[n], final.select([b])[n])
    mirrored, after = other(x.reversed(), begin)
    close(mirrored.reversed().values, y.values)
    for n in final:
        close(after[n], final[n])


@every_cell
def test_chunks_and_single_frames_equal_the_whole(name, close):
    layer, x = make(name), batch(5, 3)
    y, final = layer(x)
    for cuts in ([2, 0, 3], [1] * 5):
        state, pieces, done = None, [], 0
        for cut in cuts:
            piece, state = layer(Ragged.from_list([s[done : done + cut] for s in x.unbind()]), state)
            state = State.from_bytes(state.to_bytes())
            pieces.append(piece)
            done += cut
        for b in range(2):
            close(torch.cat([p[b] for p in pieces]), y[b])
        for n in final:
            close(state[n], final[n])


def test_any_size_of_frame_and_a_state_alike_at_all_places(close):
    layer = make("gru")
    for frame in ((1, 1), (2, 7), (6, 6)):
        x, alike = batch(2, 1, frame=frame), torch.randn(2, HIDDEN, 1, 1).double()
        y, _ = layer(x, State({"h": alike}))
        close(y.values, layer(x, State({"h": alike.repeat(1, 1, *frame)}))[0].values)
    y, final = layer(batch(0, 0))
    assert y.values.shape == (0, HIDDEN, *FRAME) and final["h"].shape == (2, HIDDEN, *FRAME)


@pytest.mark.parametrize("merge", ["concat", "sum", "mean", "mul"])
def test_two_directions_in_a_deep_residual_stack(merge, close):
    def both(inputs, units):
        return Bidirectional(Convolutional(GRU, inputs, units), Convolutional(GRU, inputs, units, reverse=True), merge)

    width = 4 if merge == "concat" else 2
    below, above = drawn(both(CHANNELS, 2)), drawn(both(width, 2))
    stack, x = Stack([below, above], dropout=0.5, variational=True, residual=True), batch(3, 0, 2)
    y, state = stack.eval()(x)
    z, _ = below(x)
    ahead, back = above.forwards(z)[0].values, above.backwards(z)[0].values
    merged = {
        "concat": torch.cat([ahead, back], 1),
        "sum": ahead + back,
        "mean": (ahead + back) / 2,
        "mul": ahead * back,
    }
    close(y.values, z.values + merged[merge])
    assert stack.last(state).shape == (3, width, *FRAME) == (3, stack.output_size, *FRAME)
    if merge == "concat":
        close(stack.last(state)[0], torch.cat([y[0][-1, :2], y[0][0, 2:]]))
    assert stack.train()(x)[0].values.shape == y.values.shape


def test_a_batch_of_streams_starts_anew_row_by_row():
    layer, x = make("lstm"), batch(2, 2)
    _, state = layer(x)
    fresh = state.reset([1]).reset([0], layer.initial_state(1))
    assert all(not fresh[n].any() and fresh[n].shape == state[n].shape for n in fresh)


def test_weights_start_as_they_should():
    layer = Convolutional(LSTM, 8, 16, 5, gate_bias={"o": 2.0})
    bias = dict(zip(LSTM.gates, layer.bias_ih.view(4, 16), strict=True))
    assert [bias[gate].unique().tolist() for gate in "ifgo"] == [[0.0], [1.0], [0.0], [2.0]]
    for block in layer.params["U"].flatten(1).split(16):
        assert torch.allclose(block @ block.T, torch.eye(16), atol=1e-5)
    bound = (6 / (25 * (8 + 16))) ** 0.5
    assert bound / 2 < layer.weight_ih.abs().max() <= bound
    with pytest.raises(UnknownNameError, match="gate of lstm"):
        Convolutional(LSTM, 8, 16, gate_bias={"z": 1.0})


def test_which_code_runs_is_told():
    layer = Stack([ConvLSTM(CHANNELS, HIDDEN), Convolutional(GRU, HIDDEN, 2, frame=FRAME)])
    found = kernels(layer)
    assert [(k.name, k.cell, k.path) for k in found] == [
        ("layers.0", "lstm", "reference"),
        ("layers.1", "gru", "reference"),
    ]
    assert "convolutions" in found[0].reason
    with watch() as seen:
        layer(batch(2).to(torch.float32))
    assert [ran.cell for ran in seen] == [LSTM, GRU]


@pytest.mark.parametrize(
    ("run", "error", "message"),
    [
        (lambda: Convolutional(GRU, 1, 2, 4), InputError, "kernel_size: expected an odd number"),
        (lambda: Convolutional(GRU, 1, 0), InputError, "hidden_size: expected a positive integer"),
        (lambda: ConvLSTM(1, 2, peepholes=(0, 3)), InputError, "frame height: expected a positive integer"),
        (lambda: Convolutional(GRU, 1, 4, projection_size=2), InputError, "as gru has no projection"),
        (lambda: make("gru")(batch(2, channels=3)), ShapeError, r"x: expected \[N, 2, height, width\]"),
        (
            lambda: drawn(ConvLSTM(CHANNELS, HIDDEN, peepholes=(4, 4)))(batch(2)),
            ShapeError,
            r"x: expected \[N, 2, 4, 4\] .* got \[2, 2, 5, 4\]",
        ),
        (
            lambda: make("gru")(batch(2), State({"h": torch.zeros(1, HIDDEN, 4, 4).double()})),
            ShapeError,
            r"state h: expected \[1, 3, 5, 4\] .* got \[1, 3, 4, 4\]",
        ),
        (lambda: Stream(make("gru")), InputError, "got Convolutional"),
        (lambda: to_onnx(make("gru")), InputError, "got Convolutional"),
        (
            lambda: keras_weights(Bidirectional(make("gru"), make("gru", reverse=True))),
            InputError,
            "expected Recurrent layers in a Bidirectional",
        ),
    ],
)
def test_misuse_is_refused_in_one_line(run, error, message):
    with pytest.raises(error, match=message) as caught:
        run()
    assert "\n" not in str(caught.value)


def test_learns_where_a_square_is_going():
    """In the middle every square looks alike: where it goes next is known from the frame before only."""
    square = torch.zeros(1, 6, 6)
    square[:, 2:4, 2:4] = 1
    ways = [(0, 1), (1, 0), (0, -1), (-1, 0)]
    videos = [
        torch.stack([square.roll((t * down, t * right), (1, 2)) for t in range(-1, 2 + k % 2)])
        for k, (down, right) in enumerate(ways)
    ]
    x, target = Ragged.from_list([v[:-1] for v in videos]), torch.cat([v[1:] for v in videos])
    layer, read = ConvLSTM(1, 8), torch.nn.Conv2d(8, 1, 1)
    torch.nn.init.constant_(read.bias, -2.0)  # most places are empty
    optimiser = torch.optim.Adam([*layer.parameters(), *read.parameters()], 0.05)
    known = torch.ones(len(target), dtype=torch.bool).index_fill(0, x.offsets[:-1], False)

    def loss(y):
        return binary_cross_entropy_with_logits(read(y)[known], target[known])

    for _ in range(60):
        optimiser.zero_grad()
        loss(layer(x)[0].values).backward()
        optimiser.step()
    assert loss(layer(x)[0].values) < 0.01
    forgotten = layer(Ragged.from_list([frame.unsqueeze(0) for frame in x.values]))[0].values
    assert loss(forgotten) > 0.1
