"""How sequences become batches."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.sequences import Ragged
from recurra.sequences.batches import Separate, Streams

lengths = st.lists(st.integers(0, 30), min_size=1, max_size=40)


def numbered(lengths: list[int]) -> Ragged:
    """Sequences whose steps are all different, so that any step can be found again."""
    offsets = torch.tensor([0, *torch.tensor(lengths).cumsum(0).tolist()])
    return Ragged(torch.arange(int(offsets[-1])), offsets)


@given(lengths, st.integers(1, 50), st.booleans(), st.integers(0, 5))
def test_separate_gives_every_row_once_with_its_target(lengths, tokens, shuffle, epoch):
    data = numbered(lengths)
    targets = torch.arange(len(data)) * 10
    rows = []
    for batch in Separate(data, targets, tokens, shuffle=shuffle).epoch(3, epoch):
        rows += batch.rows.tolist()
        assert torch.equal(batch.targets, batch.rows * 10)
        for row, sequence in zip(batch.rows.tolist(), batch.inputs, strict=True):
            assert torch.equal(sequence, data[row])
    assert sorted(rows) == list(range(len(data)))


@given(lengths, st.integers(1, 50))
def test_a_separate_batch_keeps_to_its_tokens_unless_one_sequence_is_longer(lengths, tokens):
    for batch in Separate(numbered(lengths), None, tokens, shuffle=True).epoch(0, 0):
        assert batch.inputs.values.shape[0] <= tokens or (batch.inputs.lengths > 0).sum() == 1


@given(lengths, st.integers(1, 60), st.booleans())
def test_what_a_sequence_counts_for_may_be_more_than_its_steps(lengths, tokens, shuffle):
    data = numbered(lengths)
    steps = data.lengths * 2 + 1
    batches = Separate(data, None, tokens, shuffle=shuffle, steps=steps)
    assert batches.steps_per_epoch == 2 * sum(lengths) + len(lengths)
    for batch in batches.epoch(0, 0):
        assert batch.steps == int(steps[batch.rows].sum())
        assert batch.steps <= tokens or len(batch.rows) == 1


def test_separate_order_follows_seed_and_epoch():
    separate = Separate(numbered([3] * 50), None, 6, shuffle=True)

    def order(seed: int, epoch: int) -> list[int]:
        return [r for rows in separate.indices(seed, epoch) for r in rows.tolist()]

    assert order(1, 0) == order(1, 0)
    assert order(1, 0) != order(1, 1)
    assert order(1, 1) != order(2, 0)


@given(st.integers(1, 300), st.integers(1, 8), st.integers(1, 40), st.integers(0, 3))
def test_streams_predict_every_token_once_and_go_on_where_they_stopped(n, streams, steps, epoch):
    reader = Streams(torch.arange(n + 1), streams, steps, shuffle=True)
    reached: dict[int, int] = {}
    seen = []
    batches = list(reader.epoch(5, epoch))
    assert len(batches) == reader.count(5, epoch)
    for i, batch in enumerate(batches):
        assert batch.carry == (i > 0)
        assert torch.equal(batch.targets.values, batch.inputs.values + 1)
        assert int(batch.inputs.lengths.max()) <= steps
        for stream, sequence in enumerate(batch.inputs):
            for token in sequence.tolist():
                assert reached.get(stream, token - 1) == token - 1
                reached[stream] = token
                seen.append(token)
    assert sorted(seen) == list(range(n))


@given(st.integers(2, 200), st.integers(1, 4), st.integers(1, 20), st.integers(0, 2), st.integers(0, 30))
def test_an_epoch_begun_in_its_middle_is_the_same_epoch(n, streams, steps, epoch, start):
    for reader in (
        Streams(torch.arange(n), streams, steps, shuffle=True),
        Separate(numbered([n % 7 + 1] * 20), None, 10, shuffle=True),
    ):
        whole = list(reader.epoch(1, epoch))
        rest = list(reader.epoch(1, epoch, start=start))
        assert [b.inputs.values.tolist() for b in rest] == [b.inputs.values.tolist() for b in whole[start:]]


@given(st.integers(1, 400), st.integers(1, 6), st.integers(10, 40), st.floats(0.5, 6), st.integers(0, 3))
def test_streams_of_drawn_lengths_predict_every_token_once(n, streams, steps, spread, epoch):
    reader = Streams(torch.arange(n + 1), streams, steps, shuffle=True, spread=spread)
    batches = list(reader.epoch(5, epoch))
    assert len(batches) == reader.count(5, epoch)
    seen = torch.cat([b.inputs.values for b in batches])
    assert sorted(seen.tolist()) == list(range(n))
    for batch in batches:
        assert batch.share == int(batch.inputs.lengths.max()) / steps
    again = [b.share for b in reader.epoch(5, epoch)]
    assert again == [b.share for b in batches]
    part = list(reader.epoch(5, epoch, start=1))
    assert [b.share for b in part] == again[1:]


def test_drawn_lengths_are_about_what_was_asked_and_differ_from_epoch_to_epoch():
    reader = Streams(torch.arange(20_001), 1, 70, shuffle=True, spread=5.0)
    lengths = [int(b.inputs.lengths[0]) for b in reader.epoch(0, 0)]
    halved = [n for n in lengths if n < 50]
    assert 0 < len(halved) < 40 and min(lengths[:-1]) >= Streams.LEAST
    usual = torch.tensor([n for n in lengths[:-1] if n >= 50], dtype=torch.float)
    assert 68 < usual.mean() < 71 and 4 < usual.std() < 6
    assert lengths != [int(b.inputs.lengths[0]) for b in reader.epoch(0, 1)]
    plain = Streams(torch.arange(20_001), 1, 70, shuffle=False, spread=5.0)
    assert {int(b.inputs.lengths[0]) for b in plain.epoch(0, 0)} == {70, 20_000 % 70}
