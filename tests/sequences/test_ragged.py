"""Ragged: every form it comes from and goes to, for lengths 0, 1, equal and wildly unequal."""

import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.utils.rnn import pack_padded_sequence, pack_sequence, pad_sequence

from recurra.errors import InputError
from recurra.sequences import Ragged

some = st.lists(st.integers(0, 6), min_size=1, max_size=6)
equal = st.builds(lambda rows, length: [length] * rows, st.integers(1, 5), st.integers(0, 6))
unequal = st.permutations([0, 1, 1, 40, 3])
lengths_ = st.one_of(some, equal, unequal)


def batch(lengths, features=(2,), dtype=torch.float64, **options):
    return [torch.randn(length, *features, dtype=dtype, **options) for length in lengths]


def same(ragged, sequences):
    assert len(ragged) == len(sequences)
    assert ragged.lengths.tolist() == [len(s) for s in sequences]
    assert all(torch.equal(a, b) for a, b in zip(ragged.unbind(), sequences, strict=True))


@given(lengths_)
def test_from_list_keeps_every_sequence(lengths):
    sequences = batch(lengths)
    ragged = Ragged.from_list(sequences)
    same(ragged, sequences)
    assert all(torch.equal(ragged[i], s) for i, s in enumerate(sequences))
    assert torch.equal(ragged[-1], sequences[-1])
    assert ragged.equal_length == (lengths[0] if len(set(lengths)) == 1 else None)


@given(lengths_, st.booleans())
def test_padded_there_and_back(lengths, batch_first):
    sequences = batch(lengths)
    padded = Ragged.from_list(sequences).to_padded(padding_value=7.0, batch_first=batch_first)
    assert torch.equal(padded, pad_sequence(sequences, batch_first=batch_first, padding_value=7.0))
    same(Ragged.from_padded(padded, lengths, batch_first=batch_first), sequences)
    same(Ragged.from_padded(padded, torch.tensor(lengths, dtype=torch.int32), batch_first=batch_first), sequences)


@given(lengths_.map(lambda lengths: [n + 1 for n in lengths]), st.booleans())
def test_packed_there_and_back_in_the_original_order(lengths, enforce_sorted):
    lengths = sorted(lengths, reverse=True) if enforce_sorted else lengths
    sequences = batch(lengths)
    packed = pack_sequence(sequences, enforce_sorted=enforce_sorted)
    ragged = Ragged.from_packed(packed)
    same(ragged, sequences)
    again = ragged.to_packed()
    assert torch.equal(again.data, packed.data)
    assert torch.equal(again.batch_sizes, packed.batch_sizes)
    same(Ragged.from_packed(Ragged.from_list(sequences).to_packed()), sequences)
    assert again.batch_sizes.device.type == "cpu"


def test_packed_in_any_order_among_equals():
    padded = torch.arange(6.0).view(3, 2, 1)
    packed = pack_padded_sequence(padded, torch.tensor([2, 2, 2]), batch_first=True)
    shuffled = packed._replace(
        data=torch.tensor([[2.0], [0.0], [4.0], [3.0], [1.0], [5.0]]),
        sorted_indices=torch.tensor([1, 0, 2]),
        unsorted_indices=torch.tensor([1, 0, 2]),
    )
    same(Ragged.from_packed(shuffled), list(padded))
    assert torch.equal(Ragged.from_packed(shuffled).to_packed().data, shuffled.data)


@given(lengths_)
def test_nested_there_and_back(lengths):
    sequences = batch(lengths)
    nested = Ragged.from_list(sequences).to_nested()
    assert [s.shape[0] for s in nested.unbind()] == lengths
    same(Ragged.from_nested(nested), sequences)


def test_a_nested_view_with_holes_is_refused():
    nested = torch.nested.nested_tensor_from_jagged(
        torch.zeros(5, 2), torch.tensor([0, 3, 5]), lengths=torch.tensor([2, 2])
    )
    with pytest.raises(InputError, match=r"contiguous\(\)"):
        Ragged.from_nested(nested)
    with pytest.raises(InputError, match=r"torch\.jagged"):
        Ragged.from_nested(torch.zeros(2, 2))


@given(lengths_)
def test_reversed_flips_each_sequence(lengths):
    sequences = batch(lengths)
    ragged = Ragged.from_list(sequences)
    same(ragged.reversed(), [s.flip(0) for s in sequences])
    assert torch.equal(ragged.reversed().reversed().values, ragged.values)


@given(lengths_, st.data())
def test_rows_can_be_chosen_repeated_and_sliced(lengths, data):
    sequences = batch(lengths)
    ragged = Ragged.from_list(sequences)
    rows = data.draw(st.lists(st.integers(-len(lengths), len(lengths) - 1), max_size=8))
    same(ragged[rows], [sequences[i] for i in rows])
    same(ragged[torch.tensor(rows, dtype=torch.int64)], [sequences[i] for i in rows])
    same(ragged[1:], sequences[1:])
    same(ragged[::2], sequences[::2])
    longer = ragged.lengths > 1
    same(ragged[longer], [s for s in sequences if len(s) > 1])


@given(lengths_, lengths_)
def test_cat_puts_batch_after_batch(first, second):
    one, two = batch(first), batch(second)
    same(Ragged.cat([Ragged.from_list(one), Ragged.from_list(two)]), one + two)


@given(lengths_, st.booleans())
def test_packing_orders_every_step(lengths, backward):
    layout = Ragged.from_list(batch(lengths)).layout
    pack, unpack = layout.packing(backward)
    steps = sum(lengths)
    assert torch.equal(pack[unpack], torch.arange(steps))
    # Step t of all that are long enough, longest first, is one piece.
    begin = [0, *layout.offsets.tolist()]
    expected = [
        begin[row + 1] + (lengths[row] - 1 - t if backward else t)
        for t in range(max(lengths))
        for row in sorted(range(len(lengths)), key=lambda r: -lengths[r])
        if t < lengths[row]
    ]
    assert pack.tolist() == expected
    assert layout.batch_sizes.tolist() == [sum(n > t for n in lengths) for t in range(max(lengths))]


def test_the_way_back_has_a_gradient_of_every_order():
    def forms(values):
        ragged = Ragged(values, torch.tensor([0, 3, 3, 4]))
        padded = ragged.reversed()[[2, 0, 0, 1]].to_padded()
        return Ragged.from_padded(padded * padded, [1, 3, 2, 0])[[0, 1]].to_packed().data

    values = torch.randn(4, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(forms, values)
    assert torch.autograd.gradgradcheck(forms, values)


@pytest.mark.parametrize("backward", [False, True])
def test_packing_has_a_gradient_of_every_order(backward):
    layout = Ragged.from_list(batch([2, 4, 1])).layout
    weights = torch.arange(7, dtype=torch.float64)
    values = torch.randn(7, dtype=torch.float64, requires_grad=True)
    for move in (layout.pack, layout.unpack):
        assert torch.autograd.gradcheck(lambda v, move=move: (move(v, backward) * weights).sin(), values)
        assert torch.autograd.gradgradcheck(lambda v, move=move: (move(v, backward) * weights).sin(), values)


def test_shared_layout_is_computed_once():
    ragged = Ragged.from_list(batch([3, 1]))
    other = ragged.with_values(torch.zeros(4))
    assert other.layout is ragged.layout
    assert other.layout.packing(True)[0] is ragged.layout.packing(True)[0]


def test_no_sequences_and_no_steps():
    none = Ragged(torch.zeros(0, 3), torch.tensor([0]))
    assert (len(none), none.equal_length, none.to_padded().shape, none.unbind()) == (0, None, (0, 0, 3), [])
    assert len(none.reversed()) == 0
    assert len(Ragged.from_padded(torch.zeros(0, 4, 3), [])) == 0
    empty = Ragged(torch.zeros(0, 3), torch.tensor([0, 0, 0]))
    assert (len(empty), empty.equal_length, empty.to_padded().shape) == (2, 0, (2, 0, 3))
    for ragged in (none, empty):
        with pytest.raises(InputError, match="empty sequence"):
            ragged.to_packed()


def test_any_feature_shape_and_dtype():
    images = batch([2, 3], features=(4, 5))
    same(Ragged.from_list(images).reversed(), [s.flip(0) for s in images])
    tokens = Ragged.from_list([torch.tensor([1, 2]), torch.tensor([3])])
    assert tokens.to_padded(padding_value=-1).tolist() == [[1, 2], [3, -1]]
    assert tokens.to(torch.float32).values.dtype == torch.float32
    assert tokens.to("meta").offsets.device.type == "meta"


def test_detach_pickle_and_immutability():
    ragged = Ragged.from_list(batch([2, 1], requires_grad=True))
    assert ragged.values.requires_grad
    assert not ragged.detach().values.requires_grad
    same(pickle.loads(pickle.dumps(ragged)), ragged.unbind())
    with pytest.raises(AttributeError):
        ragged.values = torch.zeros(3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Ragged(torch.zeros(3), torch.tensor([0.0, 3.0])), r"offsets: expected \[B\+1\] torch.int64"),
        (lambda: Ragged(torch.zeros(3), torch.tensor([[0, 3]])), r"offsets: .* got \[1, 2\]"),
        (lambda: Ragged(torch.zeros(3), torch.tensor([], dtype=torch.int64)), "offsets"),
        (lambda: Ragged(torch.tensor(1.0), torch.tensor([0])), "values: .* scalar"),
        (lambda: Ragged(torch.zeros(3), torch.tensor([1, 3])), "got 1 to 3"),
        (lambda: Ragged(torch.zeros(3), torch.tensor([0, 2])), "from 0 to 3 .* got 0 to 2"),
        (lambda: Ragged(torch.zeros(3), torch.tensor([0, 3, 2, 3])), "decreasing on the way"),
        (lambda: Ragged(torch.zeros(3, device="meta"), torch.tensor([0, 3])), "offsets: .* on meta, .* on cpu"),
        (lambda: Ragged.from_list([]), "sequences: .* empty list"),
        (lambda: Ragged.from_list([torch.zeros(2, 3), torch.zeros(2, 4)]), r"sequences\[1\]: .*3.*4"),
        (lambda: Ragged.from_list([torch.zeros(2), torch.zeros(2).long()]), r"sequences\[1\]: .*float32.*int64"),
        (lambda: Ragged.from_list([torch.tensor(1.0)]), r"sequences\[0\]"),
        (lambda: Ragged.from_padded(torch.zeros(3), [3]), "padded"),
        (lambda: Ragged.from_padded(torch.zeros(2, 3), [3]), "lengths: expected 2 integers"),
        (lambda: Ragged.from_padded(torch.zeros(2, 3), [3.0, 1.0]), "lengths: expected 2 integers"),
        (lambda: Ragged.from_padded(torch.zeros(2, 3), [4, 1]), "lengths: expected numbers from 0 to 3, got 1 to 4"),
        (lambda: Ragged.from_padded(torch.zeros(2, 3), [-1, 1]), "got -1 to 1"),
        (lambda: Ragged.cat([]), "batches"),
        (lambda: Ragged.cat([Ragged.from_list([torch.zeros(1)]), Ragged.from_list([torch.zeros(1, 2)])]), "batches"),
        (lambda: Ragged.from_list([torch.zeros(2)]).with_values(torch.zeros(3)), r"values: expected \[2, ...\]"),
    ],
)
def test_misuse_is_refused_in_one_line(make, message):
    with pytest.raises(InputError, match=message) as error:
        make()
    assert "\n" not in str(error.value)
    assert isinstance(error.value, ValueError)


def test_a_row_that_is_not_there():
    with pytest.raises(IndexError, match="sequence 2 of a batch of 2"):
        Ragged.from_list(batch([1, 2]))[2]
