"""A batch of sequences of any lengths, laid end to end."""

from collections.abc import Sequence
from typing import Any, overload

import torch
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence

from recurra.errors import InputError, ShapeError
from recurra.sequences.layout import Layout, pick, reorder

Index = slice | Sequence[int] | Tensor


class Ragged:
    """B sequences end to end: sequence b is ``values[offsets[b] : offsets[b + 1]]``. Immutable.

    values: [N, ...], N the sum of all lengths. offsets: [B+1] int64 on the same device, from 0 to N, never
    decreasing; a sequence may be empty. Raises ShapeError or InputError if they are not.

    >>> batch = Ragged.from_list([torch.tensor([1, 2, 3]), torch.tensor([4])])
    >>> batch
    Ragged(B=2, N=4, features=[], dtype=torch.int64)
    >>> batch.reversed().values
    tensor([3, 2, 1, 4])
    """

    __slots__ = ("_layout", "_values")

    def __init__(self, values: Tensor, offsets: Tensor):
        if offsets.ndim != 1 or offsets.dtype != torch.int64 or offsets.shape[0] == 0:
            raise ShapeError("offsets", "[B+1] torch.int64", f"{list(offsets.shape)} {offsets.dtype}")
        if values.ndim == 0:
            raise ShapeError("values", "[N, ...]", "a scalar")
        if values.device != offsets.device:
            raise ShapeError("offsets", f"a tensor on {values.device}, as values", f"one on {offsets.device}")
        first, last, least = torch.stack([offsets[0], offsets[-1], offsets.diff(append=offsets[-1:]).amin()]).tolist()
        if first != 0 or last != values.shape[0] or least < 0:
            raise InputError(
                f"offsets: expected numbers from 0 to {values.shape[0]} (the rows of values) that never decrease, "
                f"got {first} to {last}{', decreasing on the way' if least < 0 else ''}"
            )
        self._values, self._layout = values, Layout(offsets, values.shape[0])

    @classmethod
    def of_layout(cls, values: Tensor, layout: Layout) -> "Ragged":
        """values: [N, ...] laid out as ``layout`` says; for code that has one."""
        self = cls.__new__(cls)
        self._values, self._layout = values, layout
        return self

    # --- what it holds ---

    @property
    def values(self) -> Tensor:
        """[N, ...], all steps, sequence after sequence."""
        return self._values

    @property
    def layout(self) -> Layout:
        """What follows from the offsets alone, shared by every Ragged made from this one with ``with_values``."""
        return self._layout

    @property
    def offsets(self) -> Tensor:
        """[B+1] int64, where each sequence begins; the last is N."""
        return self._layout.offsets

    @property
    def lengths(self) -> Tensor:
        """[B] int64, steps of each sequence."""
        return self._layout.lengths

    @property
    def equal_length(self) -> int | None:
        """T if all sequences have T steps; None if they differ or there are none."""
        return self._layout.equal_length

    def __len__(self) -> int:
        return len(self._layout)

    def __repr__(self) -> str:
        steps, *features = self._values.shape
        return f"Ragged(B={len(self)}, N={steps}, features={features}, dtype={self._values.dtype})"

    # --- made from other forms ---

    @staticmethod
    def from_list(sequences: Sequence[Tensor]) -> "Ragged":
        """sequences: B tensors [T_b, ...] alike in all but length. Raises InputError for none, ShapeError if unlike."""
        if not sequences:
            raise InputError("sequences: expected at least one, got an empty list")
        for i, s in enumerate(sequences):
            if s.ndim == 0:
                raise ShapeError(f"sequences[{i}]", "[T, ...]", "a scalar")
            if _kind(s) != _kind(sequences[0]):
                raise ShapeError(f"sequences[{i}]", f"{_kind(sequences[0])} as sequences[0]", _kind(s))
        lengths = torch.tensor([s.shape[0] for s in sequences], device=sequences[0].device)
        return Ragged.of_layout(torch.cat(list(sequences)), Layout.of_lengths(lengths))

    @staticmethod
    def from_padded(padded: Tensor, lengths: Tensor | Sequence[int], batch_first: bool = True) -> "Ragged":
        """padded: [B, T, ...], or [T, B, ...] if not ``batch_first``. lengths: B integers from 0 to T."""
        if padded.ndim < 2:
            raise ShapeError("padded", "[B, T, ...]" if batch_first else "[T, B, ...]", list(padded.shape))
        padded = padded if batch_first else padded.transpose(0, 1)
        rows, longest = padded.shape[:2]
        lengths = _numbers(lengths, padded.device)
        if lengths.shape != (rows,) or lengths.is_floating_point() or lengths.dtype == torch.bool:
            raise ShapeError("lengths", f"{rows} integers, one a sequence", f"{list(lengths.shape)} {lengths.dtype}")
        if rows and (int(lengths.min()) < 0 or int(lengths.max()) > longest):
            raise InputError(f"lengths: expected numbers from 0 to {longest}, got {lengths.min()} to {lengths.max()}")
        layout = Layout.of_lengths(lengths.long())
        values = padded.reshape(rows * longest, *padded.shape[2:])
        if layout.steps < rows * longest:
            values = pick(values, _padded_places(layout, longest))
        return Ragged.of_layout(values, layout)

    @staticmethod
    def from_packed(packed: PackedSequence) -> "Ragged":
        """The sequences of a torch PackedSequence, in the order they had before packing."""
        sizes = packed.batch_sizes.to(packed.data.device)
        rows = int(packed.batch_sizes[0])
        order = packed.sorted_indices if packed.sorted_indices is not None else torch.arange(rows, device=sizes.device)
        # Where one more or fewer sequences are active, one ends: lengths, longest first, are where the sizes drop.
        drops = sizes.diff(append=sizes.new_zeros(1)).neg()
        ends = torch.arange(1, len(sizes) + 1, device=sizes.device)
        descending = torch.repeat_interleave(ends, drops, output_size=rows).flip(0)
        layout = Layout.of_lengths(torch.empty_like(descending).scatter_(0, order, descending), order)
        return Ragged.of_layout(layout.unpack(packed.data, backward=False), layout)

    @staticmethod
    def from_nested(nested: Any) -> "Ragged":
        """nested: a torch nested tensor [B, jagged, ...] with ``layout=torch.jagged``."""
        if not nested.is_nested or nested.layout != torch.jagged:
            raise InputError("nested: expected a nested tensor with layout=torch.jagged, got another tensor")
        if nested.lengths() is not None or nested._ragged_idx != 1:
            raise InputError("nested: expected its steps end to end along dimension 1, got a view: call contiguous()")
        return Ragged(nested.values(), nested.offsets())

    @staticmethod
    def cat(batches: "Sequence[Ragged]") -> "Ragged":
        """All sequences of the first batch, then those of the next. Raises as ``from_list``."""
        if not batches:
            raise InputError("batches: expected at least one, got an empty list")
        for i, b in enumerate(batches):
            if _kind(b.values) != _kind(batches[0].values):
                raise ShapeError(f"batches[{i}]", f"{_kind(batches[0].values)} as batches[0]", _kind(b.values))
        layout = Layout.of_lengths(torch.cat([b.lengths for b in batches]))
        return Ragged.of_layout(torch.cat([b.values for b in batches]), layout)

    # --- and into them ---

    def unbind(self) -> list[Tensor]:
        """Each sequence, [T_b, ...]; views, not copies."""
        return list(torch.split(self._values, self.lengths.tolist()))

    def to_padded(self, padding_value: float = 0.0, batch_first: bool = True) -> Tensor:
        """[B, T, ...] (or [T, B, ...] if not ``batch_first``), T the longest; steps past the end are padding."""
        features = self._values.shape[1:]
        length = self.equal_length
        if length is None:
            length = self._layout.batch_sizes.shape[0]
            flat = self._values.new_full((len(self) * length, *features), padding_value)
            flat = flat.index_copy(0, _padded_places(self._layout, length), self._values)
        else:
            flat = self._values
        padded = flat.reshape(len(self), length, *features)
        return padded if batch_first else padded.transpose(0, 1)

    def to_packed(self) -> PackedSequence:
        """A torch PackedSequence. Raises InputError if there is no sequence or an empty one: torch has none."""
        layout = self._layout
        if layout.steps == 0 or int(layout.batch_sizes[0]) != len(self):
            raise InputError("a PackedSequence cannot hold an empty sequence: expected lengths of at least 1, got 0")
        packed = layout.pack(self._values, backward=False)
        return PackedSequence(packed, layout.batch_sizes, layout.order, layout.rank)

    def to_nested(self) -> Tensor:
        """A torch nested tensor [B, jagged, ...] with ``layout=torch.jagged``; shares the values."""
        return torch.nested.nested_tensor_from_jagged(self._values, self.offsets)

    # --- parts and changes ---

    @overload
    def __getitem__(self, index: int) -> Tensor: ...
    @overload
    def __getitem__(self, index: Index) -> "Ragged": ...
    def __getitem__(self, index: int | Index) -> "Tensor | Ragged":
        """One sequence [T_b, ...] (a view) for an int, a Ragged for a slice, a list or a tensor of row numbers."""
        if isinstance(index, int):
            if not -len(self) <= index < len(self):
                raise IndexError(f"sequence {index} of a batch of {len(self)}")
            start, end = self.offsets[index % len(self) :][:2].tolist()
            return self._values[start:end]
        chosen = index if isinstance(index, slice) else _numbers(index, self.offsets.device)
        rows = torch.arange(len(self), device=self.offsets.device)[chosen]
        layout = Layout.of_lengths(self.lengths[rows])
        shift = self.offsets[rows] - layout.offsets[:-1]
        places = torch.arange(layout.steps, device=rows.device) + shift[layout.rows]
        return Ragged.of_layout(self._values.index_select(0, places), layout)

    def with_values(self, values: Tensor) -> "Ragged":
        """The same sequences with other values, [N, ...]: what a layer that works step by step returns."""
        if values.ndim == 0 or values.shape[0] != self._layout.steps:
            raise ShapeError("values", f"[{self._layout.steps}, ...]", list(values.shape))
        if values.device != self.offsets.device:
            raise ShapeError("values", f"a tensor on {self.offsets.device}", f"one on {values.device}")
        return Ragged.of_layout(values, self._layout)

    def reversed(self) -> "Ragged":
        """Each sequence from its last step to its first; the order of the sequences stays."""
        rows, offsets = self._layout.rows, self.offsets
        steps = torch.arange(self._layout.steps, device=rows.device)
        mirror = offsets[rows] + offsets[1:][rows] - 1 - steps
        return self.with_values(reorder(self._values, mirror, mirror))

    def detach(self) -> "Ragged":
        """The same batch, cut off from the gradient."""
        return self.with_values(self._values.detach())

    def to(self, target: torch.device | str | torch.dtype) -> "Ragged":
        """The batch on another device, or its values in another dtype."""
        values = self._values.to(target)
        if values.device == self.offsets.device:
            return self.with_values(values)
        return Ragged.of_layout(values, Layout(self.offsets.to(values.device), self._layout.steps))


def _kind(tensor: Tensor) -> str:
    return f"[*, {', '.join(map(str, tensor.shape[1:]))}] {tensor.dtype} on {tensor.device}"


def _numbers(values: Sequence[int] | Tensor, device: torch.device) -> Tensor:
    tensor = torch.as_tensor(values, device=device)
    # torch takes an empty list for floats.
    return tensor if tensor.numel() else tensor.long()


def _padded_places(layout: Layout, longest: int) -> Tensor:
    """[N], where each step lies in a padded batch [B * longest]."""
    steps = torch.arange(layout.steps, device=layout.offsets.device)
    return steps + (torch.arange(len(layout), device=steps.device) * longest - layout.offsets[:-1])[layout.rows]
