"""What a person should know about data, in sentences.

Some say what was found or guessed. Others, each a ``Change``, say that data were not taken as they are. The command
line prints both; Python gives the latter as warnings.
"""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path

from recurra.errors import DataNote

HOME = f"{Path(__file__).parent}{os.sep}"


class Change(str):
    """A note that something was left out, filled or merged."""

    __slots__ = ()


def pass_on(notes: Iterable[str], tell: Callable[[str], object] | None = None) -> None:
    """Each to ``tell``; None: each change as a ``recurra.errors.DataNote``, at the line that called the library."""
    for note in notes:
        if tell:
            tell(note)
        elif isinstance(note, Change):
            warnings.warn(note, DataNote, stacklevel=_outside())


def _outside() -> int:
    """How far above ``pass_on`` the first line is that is not Recurra's own."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back and frame.f_code.co_filename.startswith(HOME):
        level, frame = level + 1, frame.f_back
    return level
