"""Numbers and series of numbers, in whichever form data come: arrays, lists, or as text."""

import hashlib
import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError, InputError

Series = NDArray[np.floating[Any]]

# So many steps of a series are enough to tell which one it is.
SHOWN = 20


def number(value: Any, where: str) -> float | None:
    """A finite number, also one written as text; None where there is none (empty, NaN).

    Raises DataError for what is none, beginning with ``where``.

    >>> number(" 4.5 ", "f.csv, row 1")
    4.5
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        found = float(value)
    except (TypeError, ValueError):
        raise DataError(f"{where}: expected a number, got {_short(value)}") from None
    if math.isinf(found):
        raise DataError(f"{where}: expected a finite number, got {found}")
    return None if math.isnan(found) else found


def series(value: Any, where: str) -> Series | None:
    """A series as [T, I], float32 where it comes in float32 and else float64; None where there is none.

    value: an array, a tensor or a list of T numbers (one channel) or of T rows of I numbers; or as text: numbers with
    spaces or commas between them, or such a list as JSON. Raises DataError, beginning with ``where``, for anything
    else and for a number that is missing or infinite, naming its step.

    >>> series("0.5 1, 2", "f.csv, row 1").tolist()
    [[0.5], [1.0], [2.0]]
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        if not value.strip():
            return None
        value = _parsed(value, where)
    if isinstance(value, np.ndarray) and value.dtype == object:
        value = value.tolist()  # Parquet's nested lists arrive as an array of arrays
    try:
        found = np.asarray(value)
        found = found if found.dtype == np.float32 else found.astype(np.float64)
    except (TypeError, ValueError):
        found = np.empty(())
    if found.ndim not in (1, 2):
        raise DataError(
            f"{where}: expected a series, T numbers or T rows with the same number of channels, got {_short(value)}"
        )
    if not np.isfinite(found).all():
        step = int((~np.isfinite(found)).nonzero()[0][0])
        raise DataError(f"{where}, step {step + 1}: {not_finite(found[step])}")
    return found.reshape(len(found), -1) if len(found) else np.zeros((0, 1), found.dtype)


def not_finite(values: Any) -> str:
    """What is wrong with a step that holds a missing or an infinite number."""
    if np.isnan(values).any():
        return "a number is missing; fill it, or leave the row out"
    return f"expected finite numbers, got {values}; correct it, or leave the row out"


def joined_series(rows: Iterable[Any], channels: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Series end to end, [N, I], and where each begins and ends, [B + 1]. channels: I; 0: as the rows have it.

    Raises DataError as ``series`` does, InputError where a row is missing or has other channels.
    """
    found = []
    for i, row in enumerate(rows, 1):
        read = series(row, f"series {i}")
        if read is None:
            raise InputError(f"series {i}: expected T numbers or T rows of channels, got {row!r}")
        channels = channels or (read.shape[1] if len(read) else 0)
        if len(read) and read.shape[1] != channels:
            raise InputError(f"series {i}: expected {channels} channels, as those before it, got {read.shape[1]}")
        found.append(read.astype(np.float64))
    offsets = np.array([0, *map(len, found)]).cumsum()
    return np.concatenate([np.zeros((0, channels)), *(row for row in found if len(row))]), offsets


def identity(value: Any) -> str:
    """The same text for equal values only: a text is its own, an array's is a digest of its shape and numbers."""
    if isinstance(value, np.ndarray):
        return hashlib.blake2b(value.tobytes(), digest_size=16, key=str(value.shape).encode()).hexdigest()
    return str(value)


def written(found: Series) -> str:
    """A series as text: steps between spaces, channels between commas, six digits.

    >>> written(np.array([[1.0, 0.25], [2.0, 0.5]]))
    '1,0.25 2,0.5'
    """
    return " ".join(",".join(f"{x:.6g}" for x in step) for step in found.tolist())


def readable(value: Any) -> str:
    """A value for people to read: a text as it is, or its pieces, of a series its length and beginning.

    >>> readable(np.arange(3.0)[:, None])
    '3 steps: 0 1 2'
    """
    if not isinstance(value, np.ndarray):
        return " ".join(value) if isinstance(value, tuple) else str(value)
    return f"{len(value)} steps: {written(value[:SHOWN])}" + " ..." * (len(value) > SHOWN)


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text) if text.lstrip().startswith("[") else [float(x) for x in text.replace(",", " ").split()]
    except ValueError:  # which JSONDecodeError is too
        raise DataError(
            f"{where}: expected numbers with spaces or commas between them, or a JSON list, got {_short(text)}"
        ) from None


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) < 60 else f"{text[:57]}..."
