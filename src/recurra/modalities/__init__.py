"""Kinds of input: raw rows to Ragged, and the encoder for it, one file each."""

from recurra.modalities.base import Modality, Tokens
from recurra.registry import Registry

MODALITIES = Registry(__name__, Modality, "modality")

__all__ = ["MODALITIES", "Modality", "Tokens"]
