"""Word vectors from files of text: word2vec's, GloVe's and fastText's (``.vec``)."""

import gzip
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from recurra.errors import DataError, MissingFileError

Vectors = dict[str, NDArray[np.float32]]


def read_vectors(file: str, wanted: Collection[str], others: float, normal: Callable[[str], str]) -> Vectors:
    """Word to vector, [W] each: those of ``wanted`` words, and of the first ``others`` words in the file.

    A line is a word and its numbers, between spaces; a first line with two numbers, as word2vec and fastText write it,
    is left out. normal: what is made of each word; of words that are then the same the first counts. The file may be
    compressed as .gz. Raises MissingFileError, or DataError with the line's number.
    """
    found: Vectors = {}
    width = 0
    for number, line in _lines(Path(file)):
        fields = line.rstrip(" \r\n").split(" ")
        if number == 1 and len(fields) == 2:
            continue
        width = width or len(fields) - 1
        # A few of GloVe's words have spaces in them.
        word = normal(" ".join(fields[:-width]))
        if word in found or (word not in wanted and others <= 0):
            continue
        try:
            vector = np.array(fields[-width:], np.float32)
        except ValueError:
            vector = np.empty(0, np.float32)
        if width < 1 or len(fields) <= width or not len(vector) or not np.isfinite(vector).all():
            raise DataError(f"{file}, line {number}: expected a word and {width or 'some'} numbers, got {line[:60]!r}")
        found[word] = vector
        others -= word not in wanted
    if not found:
        raise DataError(f"{file}: holds no vector of a word; expected lines of a word and its numbers")
    return found


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Numbered lines; ends at ``\\n`` alone, as some words are characters that Python takes for line ends."""
    try:
        opener = gzip.open if path.suffix == ".gz" else open
        with opener(path, "rt", encoding="utf-8", errors="replace", newline="\n") as lines:
            yield from enumerate(lines, 1)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file of word vectors (modality.vectors)") from None
    except (OSError, EOFError) as error:
        raise DataError(f"{path}: cannot be read ({error})") from error
