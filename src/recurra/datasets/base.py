"""What a public data set is: where its files are, what they must hold, and how they become rows."""

import hashlib
import io
import os
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from recurra.datasets.files import read_bytes
from recurra.datasets.tables import Plain, frame_of, lines
from recurra.errors import DataError, MissingFileError

if TYPE_CHECKING:
    import pandas as pd

FOLDER_VARIABLE = "RECURRA_DATA"

Columns = dict[str, Sequence[Any]]


@dataclass(frozen=True)
class File:
    """A file of a public data set.

    It is taken from the folder that RECURRA_DATA names if it is there, and else downloaded once into the user's
    cache. path: below RECURRA_DATA; its name may end in .xz, .gz or .bz2. hash: of the decompressed content,
    ``sha256:...``, ``sha1:...`` or ``md5:...``. url: where the content is public, empty where it is not.
    url_hash: where what is public there is another form of the same data, such as compressed.
    """

    path: str
    hash: str
    url: str = ""
    url_hash: str = ""

    def read(self) -> bytes:
        """The content, checked. Raises MissingFileError or DataError."""
        folder = os.environ.get(FOLDER_VARIABLE)
        local = Path(folder) / self.path if folder else None
        if local is None or not local.is_file():
            return self._download()
        data = read_bytes(local)
        kind, _, expected = self.hash.partition(":")
        found = hashlib.new(kind, data, usedforsecurity=False).hexdigest()
        if found != expected:
            raise DataError(f"{local}: expected the content with {self.hash}, got {kind}:{found}; get the file anew")
        return data

    def _download(self) -> bytes:
        put = f"put {self.path} into a folder and name the folder in the environment variable {FOLDER_VARIABLE}"
        if not self.url:
            raise MissingFileError(f"{self.path}: nowhere to be downloaded from; {put}")
        import pooch

        from recurra.datasets._progress import Bar

        name = PurePosixPath(self.url).name
        try:
            with Bar(name) as bar:
                file = pooch.retrieve(
                    self.url,
                    known_hash=self.url_hash or self.hash,
                    fname=name,
                    path=Path(pooch.os_cache("recurra")) / PurePosixPath(self.path).parent,
                    downloader=pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16),
                )
        except OSError as error:  # which the errors of requests are as well
            raise MissingFileError(f"{self.url}: cannot be downloaded ({error}); try again, or {put}") from error
        except ValueError as error:
            raise DataError(f"{self.url}: not the expected content ({error}); {put}") from error
        return read_bytes(Path(file))


@dataclass(frozen=True)
class Dataset:
    """A public data set by name.

    size: in words, for the listing. task: the job it is mostly used for. source: who made it and where it is from.
    read: from the content of each of ``files`` to columns of values for each split (``train``; ``valid`` and ``test``
    where the data set has them of its own). defaults: settings that suit it. columns: role to the column that plays
    it, where names do not tell. running: its one column is running text, a row for all of it.
    """

    name: str
    summary: str
    size: str
    task: str
    licence: str
    source: str
    read: Callable[[Mapping[str, bytes]], Mapping[str, Columns]]
    files: Mapping[str, File] = field(default_factory=dict)
    defaults: Mapping[str, object] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    running: bool = False

    def load(self, plain: Plain = "whole") -> "dict[str, pd.DataFrame]":
        """Split to rows; of running text, where it is not wanted ``whole``, a row for each line that is not empty.

        Raises MissingFileError or DataError where a file cannot be had or is another.
        """
        contents = {key: file.read() for key, file in self.files.items()}
        found = self.read(contents)
        if self.running and plain != "whole":
            found = {split: {name: _each_line(text) for name, text in c.items()} for split, c in found.items()}
        return {split: frame_of(columns) for split, columns in found.items()}


def _each_line(texts: Sequence[str]) -> list[str]:
    return [line for text in texts for line in lines(text) if line.strip()]


def unzip(data: bytes, member: str) -> bytes:
    """A file out of a zip archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.read(member)
