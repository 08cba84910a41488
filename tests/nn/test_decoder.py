"""The decoder: all at once, step by step, alone and with others."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.cells import CELLS
from recurra.nn.decoder import Decoder
from recurra.sequences import Ragged
from recurra.sequences.layout import Layout

INPUT, H, F, OUTPUT = 3, 6, 4, 5
FEEDS = (False, True)


def decoder(feed: bool, layers: int = 2, cell: str = "lstm") -> Decoder:
    torch.manual_seed(1)
    return Decoder(CELLS.get(cell), INPUT, H, F, OUTPUT, layers=layers, feed=feed).double()


def batch(sizes: list[int], width: int) -> Ragged:
    return Ragged.from_list([torch.randn(n, width, dtype=torch.float64) for n in sizes])


def run(net: Decoder, x: Ragged, memory: Ragged, last: torch.Tensor):
    return net(x, net.read(memory), net.start(last))


@pytest.mark.parametrize("feed", FEEDS)
@given(sizes=st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=5))
def test_alone_is_as_in_a_batch_and_steps_are_as_all_at_once(close, feed, sizes):
    net = decoder(feed)
    x, memory = batch([t for t, _ in sizes], INPUT), batch([m for _, m in sizes], F)
    last = torch.randn(len(sizes), F, dtype=torch.float64)
    y, state = run(net, x, memory, last)
    for b in range(len(sizes)):
        one = slice(b, b + 1)
        alone, final = run(net, x[one], memory[one], last[one])
        close(y[b], alone.values)
        read, by_steps = net.read(memory[one]), net.start(last[one])
        for t in range(len(x[b])):
            step, by_steps = net(Ragged.from_list([x[b][t : t + 1]]), read, by_steps)
            close(step.values[0], y[b][t])
        for name in state:
            close(state[name][b], final[name][0])
            close(state[name][b], by_steps[name][0])


@pytest.mark.parametrize("feed", FEEDS)
@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_gradients_reach_everything_and_meet_central_differences(feed, cell):
    net = decoder(feed, layers=1, cell=cell)
    x, memory = batch([3, 0, 1], INPUT), batch([2, 3, 0], F)
    last = torch.randn(3, F, dtype=torch.float64)

    def outputs(values, steps, last, *_):
        return run(net, x.with_values(values), memory.with_values(steps), last)[0].values

    given = [t.requires_grad_() for t in (x.values, memory.values, last)]
    assert torch.autograd.gradcheck(outputs, (*given, *net.parameters()), fast_mode=True)


def test_what_was_fed_changes_what_is_written(close):
    net = decoder(True, layers=1)
    x, memory, last = batch([4], INPUT), batch([3], F), torch.randn(1, F, dtype=torch.float64)
    before, _ = run(net, x, memory, last)
    net.layers[0].recurrent.weight_ih.data[:, INPUT:] = 0  # deaf to what is fed
    after, _ = run(net, x, memory, last)
    close(after.values[0], before.values[0])
    assert not torch.allclose(after.values[1], before.values[1])


@pytest.mark.parametrize("feed", FEEDS)
def test_several_rows_read_one_memory(close, feed):
    net = decoder(feed)
    memory, last = batch([3, 5], F), torch.randn(2, F, dtype=torch.float64)
    rows = torch.tensor([0, 0, 1, 1, 1])
    x = Ragged.of_layout(torch.randn(5, INPUT, dtype=torch.float64), Layout.of_equal(5, 1, torch.device("cpu")))
    counts = Layout.of_lengths(torch.tensor([2, 3]))
    shared, state = net(x, net.read(memory), net.start(last).select(rows), counts)
    copied, expected = net(x, net.read(memory[rows]), net.start(last).select(rows))
    close(shared.values, copied.values)
    for name in state:
        close(state[name], expected[name])


@pytest.mark.parametrize("feed", FEEDS)
def test_weights_say_what_each_step_attended_to(feed, close):
    net = decoder(feed, layers=1)
    x, memory, last = batch([3, 2], INPUT), batch([4, 1], F), torch.randn(2, F, dtype=torch.float64)
    read, start = net.read(memory), net.start(last)
    first, second = net.weights(x, read, start)
    assert first.shape == (3, 4)
    close(first.sum(-1), torch.ones(3, dtype=torch.float64))
    close(second, torch.ones(2, 1, dtype=torch.float64))
    # Of a step whose share is moved away, nothing is heard.
    far = int(first[0].argmin())
    changed = memory.with_values(memory.values.clone().index_add_(0, torch.tensor([far]), torch.ones(1, F).double()))
    moved = net(x, net.read(changed), start)[0].values[0] - net(x, read, start)[0].values[0]
    assert 0 < moved.abs().max() < 1
