"""Series in the ``.ts`` form of the UCR and UEA archives, which aeon and sktime read and write."""

from collections.abc import Iterator
from typing import Any

from recurra.errors import DataError

MISSING = ("?", "nan")


def ts_columns(text: str, where: object) -> dict[str, list[Any]]:
    """Rows of a ``.ts`` file: ``series``, an array [T, I] float64 each, and ``label`` or, for regression, ``number``.

    A line is a series: channels between colons, numbers between commas, what it shows at the end; series may differ in
    length. What is missing (``?``) is NaN. Raises DataError, naming the line, for a line that is cut off or malformed,
    a label that the head of the file does not announce, and time stamps, which are not read.

    >>> ts_columns("@classLabel true up down\\n@data\\n1,2:0.5,0.5:up\\n", "a.ts")["series"][0].tolist()
    [[1.0, 0.5], [2.0, 0.5]]
    """
    lines = iter(enumerate(text.split("\n"), 1))
    head = _head(lines, where)
    kind, labels = _kind(head)
    rows = [(f"{where}, line {i}", line.strip()) for i, line in lines if line.strip() and not line.startswith("#")]
    if not rows:
        raise DataError(f"{where}: no series; expected them after a line @data")
    parts = [line.split(":") for _, line in rows]
    for (place, line), found in zip(rows, parts, strict=True):
        if len(found) != len(parts[0]) or (kind and len(found) < 2):
            raise DataError(
                f"{place}: {len(found)} parts between colons, but the first series has {len(parts[0])}; expected the "
                f"channels{f' and a {kind}' if kind else ''}; is {line[-30:]!r} the end of a line that was cut off?"
            )
    if not kind:
        return {"series": [_series(found, place) for (place, _), found in zip(rows, parts, strict=True)]}
    for (place, _), found in zip(rows, parts, strict=True):
        if labels and found[-1].strip() not in labels:
            raise DataError(f"{place}: label {found[-1][:40]!r} is none of those announced: {' '.join(labels[:20])}")
    series = [_series(found[:-1], place) for (place, _), found in zip(rows, parts, strict=True)]
    return {"series": series, kind: [found[-1].strip() for found in parts]}


def _head(lines: Iterator[tuple[int, str]], where: object) -> dict[str, list[str]]:
    """What stands before the data: tag in small letters to its words."""
    head: dict[str, list[str]] = {}
    for number, line in lines:
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if not words[0].startswith("@"):
            raise DataError(f"{where}, line {number}: expected a tag such as @classLabel, got {line[:40]!r}")
        tag = words[0][1:].lower()
        if tag == "data":
            return head
        if tag == "timestamps" and [word.lower() for word in words[1:]] == ["true"]:
            raise DataError(f"{where}, line {number}: series with time stamps are not read; write the numbers alone")
        head[tag] = words[1:]
    raise DataError(f"{where}: not a .ts file, or one that was cut off: it has no line @data")


def _kind(head: dict[str, list[str]]) -> tuple[str, list[str]]:
    """The role of what stands at the end of each line, and of labels those announced."""
    for tag, role in (("classlabel", "label"), ("targetlabel", "number")):
        words = head.get(tag, ["false"])
        if words[:1] and words[0].lower() == "true":
            return role, words[1:]
    return "", []


def _series(channels: list[str], place: str) -> Any:
    import numpy as np

    try:
        found = [
            [float("nan") if x.strip().lower() in MISSING else float(x) for x in channel.split(",")]
            for channel in channels
        ]
    except ValueError as error:
        raise DataError(f"{place}: expected numbers between commas ({error})") from None
    lengths = {len(channel) for channel in found}
    if len(lengths) > 1:
        counts = " and ".join(map(str, sorted(lengths)))
        raise DataError(f"{place}: its channels have {counts} numbers; expected as many in each")
    return np.array(found).T
