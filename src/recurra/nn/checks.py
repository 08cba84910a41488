"""Checks of layers' arguments: one clear line before anything is computed."""

import torch
from torch import Tensor

from recurra.errors import InputError, ShapeError


def check_sizes(**sizes: int) -> None:
    """Raises InputError for a size that is not a positive integer."""
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise InputError(f"{name}: expected a positive integer, got {size!r}")


def check_probability(name: str, value: float) -> None:
    """Raises InputError for a number outside 0..1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise InputError(f"{name}: expected a probability from 0 to 1, got {value!r}")


def check_like(name: str, tensor: Tensor, shape: tuple[int | str, ...], weight: Tensor) -> None:
    """Raises ShapeError unless tensor has this shape and the dtype and device of weight; in autocast any dtype.

    shape: numbers that must be met, and letters, which stand for any number.
    """
    fits = tensor.ndim == len(shape) and all(
        isinstance(s, str) or s == n for s, n in zip(shape, tensor.shape, strict=True)
    )
    same_type = tensor.dtype == weight.dtype or torch.is_autocast_enabled(weight.device.type)
    if not fits or not same_type or tensor.device != weight.device:
        expected = f"[{', '.join(map(str, shape))}] {weight.dtype} on {weight.device}"
        raise ShapeError(name, expected, f"{list(tensor.shape)} {tensor.dtype} on {tensor.device}")
