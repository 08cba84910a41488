"""Random numbers as a function of their place: whoever computes them, compiled or not, alone or in a batch, in whatever
order, gets the same.

A number is a hash of a sequence's key, the step's number in the direction of reading, and the unit's. The hash is
Wellons' lowbias32 (https://nullprogram.com/blog/2018/07/31/), of 32 bits.
"""

import torch
from torch import Tensor

# Odd numbers that set steps, units and blocks apart.
STEP, UNIT = 0x9E3779B9, 0x85EBCA6B
SHIFTS, FACTORS = (16, 15, 16), (0x7FEB352D, 0x846CA68B)
# The bits that become a fraction: as many as float32 holds.
BITS = 24


def uniform(keys: Tensor, step: int, size: int, dtype: torch.dtype) -> Tensor:
    """[rows, size] numbers in [0, 1). keys: [rows] int64, of which the lower 32 bits count. step: from 0.

    >>> uniform(torch.tensor([7, 8]), step=0, size=3, dtype=torch.float32).shape
    torch.Size([2, 3])
    """
    row = _mixed((keys + step * STEP) & 0xFFFFFFFF)
    units = torch.arange(size, device=keys.device) * UNIT
    hashed = _mixed(row.unsqueeze(1) ^ (units & 0xFFFFFFFF))
    return (hashed >> (32 - BITS)).to(dtype) * 2.0**-BITS


def _mixed(x: Tensor) -> Tensor:
    for shift, factor in zip(SHIFTS, FACTORS, strict=False):
        x = ((x ^ (x >> shift)) * factor) & 0xFFFFFFFF
    return x ^ (x >> SHIFTS[-1])
