"""Kinds of output: module, loss, decoding and metrics, one file each."""

from recurra.heads.base import Head, Meter, Objective
from recurra.registry import Registry

HEADS = Registry(__name__, Head, "head")

__all__ = ["HEADS", "Head", "Meter", "Objective"]
