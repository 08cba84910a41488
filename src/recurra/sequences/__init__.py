"""Batches of sequences and the state they leave behind."""

from recurra.sequences.ragged import Ragged
from recurra.sequences.state import State

__all__ = ["Ragged", "State"]
