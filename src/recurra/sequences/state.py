"""What a stack of layers carries from one step, or one chunk, to the next."""

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from recurra.errors import InputError, ShapeError, UnknownNameError

FORMAT = "recurra.state.1"


class State:
    """Named tensors [B, ...], mostly [B, size], one row a sequence or stream. Immutable: every change is a new State.

    Names are dotted paths: ``"0.forward.h"`` is h of the forward direction of layer 0.

    >>> state = State({"h": torch.ones(2, 3)})
    >>> both = State.group({"0": state, "1": state})
    >>> both.names, len(both)
    (('0.h', '1.h'), 2)
    >>> both.reset([0]).part("1")["h"][:, 0]
    tensor([0., 1.])
    """

    __slots__ = ("_tensors",)

    def __init__(self, tensors: Mapping[str, Tensor]):
        """Raises ShapeError unless all are [B, size, ...] with one B, InputError if there are none."""
        if not tensors:
            raise InputError("tensors: expected at least one named tensor, got none")
        rows = next(iter(tensors.values())).shape[:1]
        for name, value in tensors.items():
            if value.ndim < 2 or value.shape[:1] != rows:
                raise ShapeError(name, f"[{rows[0] if rows else 'B'}, size, ...]", list(value.shape))
        self._tensors = dict(tensors)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._tensors)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._tensors:
            raise UnknownNameError("state", name, self._tensors)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        """Rows B."""
        return next(iter(self._tensors.values())).shape[0]

    def __repr__(self) -> str:
        return f"State({', '.join(f'{n}: {list(v.shape)}' for n, v in self._tensors.items())})"

    @staticmethod
    def group(parts: "Mapping[str, State]") -> "State":
        """One State of several, each name prefixed with its part's."""
        return State({f"{part}.{name}": state[name] for part, state in parts.items() for name in state})

    def part(self, prefix: str) -> "State":
        """What was put in under this prefix. Raises UnknownNameError if nothing was."""
        start = f"{prefix}."
        found = {n.removeprefix(start): v for n, v in self._tensors.items() if n.startswith(start)}
        if not found:
            raise UnknownNameError("part of the state", prefix, {n.rpartition(".")[0] for n in self._tensors} - {""})
        return State(found)

    def detach(self) -> "State":
        """The same numbers, cut off from the gradient."""
        return State({n: v.detach() for n, v in self._tensors.items()})

    def reset(self, rows: Tensor | Iterable[int], initial: "State | None" = None) -> "State":
        """These rows set to zero, or to a one-row ``initial`` State of the same names; the others stay."""
        where = self._rows(rows)
        if initial is not None and (set(initial.names) != set(self.names) or len(initial) != 1):
            raise ShapeError("initial", f"one row of {', '.join(self.names)}", initial)
        new = {}
        for name, value in self._tensors.items():
            row = value.new_zeros(1, *value.shape[1:]) if initial is None else initial[name].to(value)
            new[name] = value.index_copy(0, where, row.expand(len(where), *value.shape[1:]))
        return State(new)

    def select(self, rows: Tensor | Iterable[int]) -> "State":
        """These rows only, in this order; a row may be taken more than once."""
        where = self._rows(rows)
        return State({n: v.index_select(0, where) for n, v in self._tensors.items()})

    def to(self, target: torch.device | str | torch.dtype) -> "State":
        """The state on another device or in another dtype."""
        return State({n: v.to(target) for n, v in self._tensors.items()})

    def to_bytes(self) -> bytes:
        """The state as safetensors, with a checksum; ``from_bytes`` reads it back, on the CPU."""
        tensors = {n: v.detach().cpu().contiguous() for n, v in self._tensors.items()}
        header = {"format": FORMAT, "names": json.dumps(list(tensors)), "checksum": _checksum(tensors)}
        return save(tensors, metadata=header)

    @staticmethod
    def from_bytes(blob: bytes) -> "State":
        """Reads what ``to_bytes`` wrote. Raises InputError if it is anything else, or was damaged."""
        try:
            size = int.from_bytes(blob[:8], "little")
            header = json.loads(blob[8 : 8 + size])["__metadata__"]
            if header["format"] != FORMAT:
                raise InputError(f"blob: expected a state of format {FORMAT}, got {header['format']}")
            read = load(blob)
            tensors = {name: read[name] for name in json.loads(header["names"])}
            if _checksum(tensors) != header["checksum"]:
                raise InputError("blob: expected a saved state, got one whose checksum is wrong: it was damaged")
        except (SafetensorError, ValueError, KeyError, TypeError, OverflowError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"blob: expected a state written by State.to_bytes, got {len(blob)} other bytes") from None
        return State(tensors)

    def _rows(self, rows: Tensor | Iterable[int]) -> Tensor:
        device = next(iter(self._tensors.values())).device
        where = rows if isinstance(rows, Tensor) else torch.tensor(list(rows), dtype=torch.int64)
        if where.ndim != 1 or where.dtype != torch.int64:
            raise ShapeError(
                "rows", "a list or a 1-D int64 tensor of row numbers", f"{list(where.shape)} {where.dtype}"
            )
        return where.to(device)


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    total = 0
    for name, value in tensors.items():
        total = zlib.crc32(f"{name}{tuple(value.shape)}{value.dtype}".encode(), total)
        total = zlib.crc32(value.view(torch.uint8).numpy().tobytes(), total)
    return str(total)
