"""Every error Recurra raises on purpose.

    RecurraError
    ├── InputError          ValueError         an argument, option, row or prompt is wrong
    │   ├── UnknownNameError                   a name that is in no list; says the nearest one
    │   ├── ShapeError                         a tensor's shape, device or dtype does not fit
    │   └── DataError                          a data file's content is wrong; says file, row, column
    ├── MissingFileError    FileNotFoundError  a path that is not there
    ├── RunError            OSError            a run folder that cannot be read or written
    └── MissingExtraError   ImportError        an optional dependency that is not installed

A message is one line for a person: what was wrong, where, and what to do. The command line prints it
and exits with 2. A setting, a role or an argument has its own name there, which is the same on the command line
(``--set``, ``--column``) and in Python. ``DataNote`` is no error but a warning.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class RecurraError(Exception):
    """Base of every error raised on purpose."""


class InputError(RecurraError, ValueError):
    """An argument, an option or a row is wrong."""


class UnknownNameError(InputError):
    """A name that is in no list."""

    def __init__(self, kind: str, name: str, choices: Iterable[str]):
        known = sorted(choices)
        near = get_close_matches(name, known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
        super().__init__(f"unknown {kind} {name!r}: {hint}")


class ShapeError(InputError):
    """A tensor's shape, device or dtype does not fit."""

    def __init__(self, argument: str, expected: object, got: object):
        super().__init__(f"{argument}: expected {expected}, got {got}")


class DataError(InputError):
    """A data file's content is wrong."""


class MissingFileError(RecurraError, FileNotFoundError):
    """A path that is not there."""


class RunError(RecurraError, OSError):
    """A run folder that cannot be read or written."""


class MissingExtraError(RecurraError, ImportError):
    """An optional dependency that is not installed."""

    def __init__(self, feature: str, extra: str):
        super().__init__(f"{feature} needs an optional dependency: pip install 'recurra[{extra}]'")


class DataNote(UserWarning):
    """Something of the data was left out, filled or merged."""
