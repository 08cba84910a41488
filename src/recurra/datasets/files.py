"""Bytes and text from files, compressed or not, with a limit on what memory takes."""

import bz2
import gzip
import lzma
import os
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from recurra.errors import DataError, InputError, MissingFileError

# A text is bytes, characters, 8 bytes a token, and copies of these while it is prepared.
MEMORY_PER_BYTE = 16

COMPRESSED: dict[str, Callable[..., Any]] = {".xz": lzma.open, ".gz": gzip.open, ".bz2": bz2.open}


def data_suffix(path: Path) -> str:
    """The suffix that tells the format, in small letters: ``.csv`` of ``reviews.csv.gz``, ``.gz`` of ``a.tar.gz``."""
    suffix, inner = path.suffix.lower(), Path(path.stem).suffix.lower()
    return inner if suffix in COMPRESSED and inner != ".tar" else suffix


def read_bytes(path: Path) -> bytes:
    """The content, decompressed by suffix (.xz, .gz, .bz2; archives stay as they are).

    Raises MissingFileError where there is no such file, InputError where it is empty or too large for this
    machine's memory, DataError where it is not what its suffix says.
    """
    suffix = path.suffix.lower()
    opener = COMPRESSED[suffix] if suffix in COMPRESSED and data_suffix(path) != suffix else open
    parts, total = [], 0
    try:
        with opener(path, "rb") as file:
            while part := file.read(1 << 24):
                parts.append(part)
                total += len(part)
                check_memory(path, total)
    except FileNotFoundError:
        raise MissingFileError(f"{path}: no such file") from None
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read ({error}); is it complete, and is its suffix right?") from error
    if not parts:
        raise InputError(f"{path}: the file is empty")
    return b"".join(parts)


def check_memory(path: Path, size: int) -> None:
    """Raises InputError where so many bytes of data are more than this machine can work on."""
    limit = memory() // MEMORY_PER_BYTE
    if size > limit:
        raise InputError(
            f"{path}: holds more than {limit / 1e6:,.0f} MB of data, which is what {memory() / 1e9:.3g} GB of memory "
            "are enough for; use a part of it"
        )


def memory() -> int:
    """This machine's memory in bytes; where the system does not say, 8 GB."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 8 << 30


def decode(data: bytes, encoding: str, where: object) -> str:
    """The text of a file, line ends as ``\\n``. Raises DataError, naming the byte that is not text in this encoding."""
    try:
        text = data.decode(encoding)
    except LookupError:
        raise InputError(f"data.encoding: there is no encoding {encoding!r}; utf-8 and latin-1 are common") from None
    except UnicodeDecodeError as error:
        other = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"
        raise DataError(
            f"{where}: byte {error.start:,} (0x{data[error.start]:02x}) is not text in {encoding}; "
            f"if it is text in another encoding, say so: --set data.encoding={other}"
        ) from None
    if "\0" in text:
        raise DataError(
            f"{where}: character {text.index(chr(0)):,} is a null: this is no text file; "
            "expected CSV, TSV, JSON lines, Parquet or plain text, told apart by the suffix"
        )
    return text.removeprefix("\ufeff").replace("\r\n", "\n")
