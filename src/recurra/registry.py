"""The folder is the registry: a file that defines one public object is found because it exists."""

import importlib
import pkgutil
from functools import cached_property
from pathlib import Path
from typing import Any

from recurra.errors import UnknownNameError


class Registry:
    """The public objects of a package's files, by name.

    ``package`` is a package's ``__name__``, ``kind`` the class its objects are instances or subclasses of.
    ``base.py`` and files that begin with an underscore hold shared parts and are not listed. Names are
    file names with ``-`` for ``_``; listing them imports none of the files.

    >>> from recurra.cells import CELLS
    >>> "lstm" in CELLS
    True
    """

    def __init__(self, package: str, kind: type, noun: str):
        self.package, self.kind, self.noun = package, kind, noun

    @cached_property
    def _files(self) -> dict[str, str]:
        folder = Path(importlib.import_module(self.package).__file__ or "").parent
        stems = (m.name for m in pkgutil.iter_modules([str(folder)]))
        return {s.replace("_", "-"): s for s in stems if s != "base" and not s.startswith("_")}

    def names(self) -> list[str]:
        return sorted(self._files)

    def __contains__(self, name: str) -> bool:
        return name.replace("_", "-") in self._files

    def get(self, name: str) -> Any:
        """The object under this name. Raises UnknownNameError, naming the nearest."""
        stem = self._files.get(name.replace("_", "-"))
        if stem is None:
            raise UnknownNameError(self.noun, name, self.names())
        module = importlib.import_module(f"{self.package}.{stem}")
        own = [o for key, o in vars(module).items() if not key.startswith("_") and self._is_own(o, module.__name__)]
        assert len(own) == 1, f"{module.__name__} must define exactly one public {self.noun}, not {len(own)}"
        return own[0]

    def _is_own(self, obj: Any, module: str) -> bool:
        if isinstance(obj, type):
            return issubclass(obj, self.kind) and obj.__module__ == module
        return isinstance(obj, self.kind)

    def all(self) -> dict[str, Any]:
        return {name: self.get(name) for name in self.names()}
