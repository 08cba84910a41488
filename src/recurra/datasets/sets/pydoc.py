"""Python's language reference as its own ``help()`` prints it: real text that every Python has."""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset
from recurra.datasets.split import split_text
from recurra.errors import MissingFileError


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    try:
        from pydoc_data.topics import topics
    except ImportError:
        raise MissingFileError(
            "pydoc_data.topics: this Python comes without its help texts; "
            "install its full standard library, or name another data set"
        ) from None
    text = "\n".join(topics[name] for name in sorted(topics))
    return {part: {"text": [text]} for part, text in split_text(text, {"valid": 0.05, "test": 0.05}).items()}


PYDOC = Dataset(
    name="pydoc",
    summary="the language reference in Python's standard library; its text varies with Python's version",
    size="about 500,000 characters; the first 90 % train, then 5 % valid, 5 % test",
    task="language-model",
    running=True,
    licence="PSF-2.0",
    source="pydoc_data.topics of the Python that runs",
    read=_read,
    defaults={"modality.unit": "char"},
)
