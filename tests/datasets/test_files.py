"""Reading bytes and text, and what is said where that is not possible."""

import bz2
import gzip
import lzma
from collections.abc import Callable
from pathlib import Path

import pytest

from recurra.datasets import files
from recurra.errors import DataError, InputError, MissingFileError

CONTENT = "grüße, 世界\n".encode() * 50


@pytest.mark.parametrize(
    ("name", "pack"),
    [("a.txt", bytes), ("a.txt.xz", lzma.compress), ("a.txt.gz", gzip.compress), ("a.TXT.BZ2", bz2.compress)],
)
def test_content_is_decompressed_by_suffix(tmp_path: Path, name: str, pack: Callable[[bytes], bytes]) -> None:
    (tmp_path / name).write_bytes(pack(CONTENT))
    assert files.read_bytes(tmp_path / name) == CONTENT
    assert files.data_suffix(tmp_path / name) == ".txt"


def test_an_archive_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.tar.gz"
    path.write_bytes(gzip.compress(CONTENT))
    assert files.read_bytes(path) == path.read_bytes()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MissingFileError, match=r"nothing\.csv: no such file"):
        files.read_bytes(tmp_path / "nothing.csv")


@pytest.mark.parametrize(("name", "content"), [("a.csv", b""), ("a.csv.gz", gzip.compress(b"", mtime=0))])
def test_an_empty_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match="the file is empty"):
        files.read_bytes(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.gz", CONTENT),
        ("a.xz", CONTENT),
        ("a.bz2", CONTENT),
        ("cut.gz", gzip.compress(CONTENT, mtime=0)[:-12]),
        ("cut.xz", lzma.compress(CONTENT)[:-20]),
        ("bad.gz", gzip.compress(CONTENT, mtime=0)[:20] + b"\xff" * 40),
    ],
)
def test_broken_compression_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match="cannot be read"):
        files.read_bytes(tmp_path / name)


@pytest.mark.parametrize(("name", "pack"), [("a.txt", bytes), ("a.txt.gz", gzip.compress)])
def test_more_than_memory_holds_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, pack: Callable[[bytes], bytes]
) -> None:
    (tmp_path / name).write_bytes(pack(b"x" * 5_000_000))
    monkeypatch.setattr(files, "memory", lambda: 64_000_000)
    with pytest.raises(InputError, match=r"holds more than 4 MB of data, which is what 0\.064 GB of memory"):
        files.read_bytes(tmp_path / name)
    monkeypatch.setattr(files, "memory", lambda: 96_000_000)
    assert len(files.read_bytes(tmp_path / name)) == 5_000_000


def test_memory_is_this_machines() -> None:
    assert 1 << 28 < files.memory() < 1 << 50


def test_the_offending_byte_and_the_way_out_are_named() -> None:
    with pytest.raises(DataError, match=r"f\.txt: byte 3 \(0xe9\) is not text in utf-8.*--set data\.encoding=latin-1"):
        files.decode(b"caf\xe9", "utf-8", "f.txt")
    with pytest.raises(DataError, match=r"--set data\.encoding=utf-16"):
        files.decode("\ufeffcafé".encode("utf-16"), "utf-8", "f.txt")
    assert files.decode(b"caf\xe9", "latin-1", "f.txt") == "café"


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(InputError, match="no encoding 'latin-x'"):
        files.decode(b"abc", "latin-x", "f.txt")


def test_a_binary_file_is_refused() -> None:
    with pytest.raises(DataError, match="character 4 is a null: this is no text file"):
        files.decode(b"PK\x03\x04\0\0", "utf-8", "f.xlsx")


def test_line_ends_and_byte_order_mark_of_windows_go() -> None:
    assert files.decode(b"\xef\xbb\xbfone\r\ntwo\r\n", "utf-8", "f.txt") == "one\ntwo\n"
