"""Shows the examples of docstrings as code: mkdocstrings takes lines that begin with ``>>>`` for quotations."""

import re
from typing import Any

import griffe

# A paragraph whose first line begins with >>>, as doctest has it.
EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)
DIRECTIVE = re.compile(r" *# doctest: .*")


class Doctests(griffe.Extension):
    """Puts a fence around each example."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = EXAMPLE.sub(
                lambda m: f"```pycon\n{DIRECTIVE.sub('', m[0])}\n```", obj.docstring.value
            )
