"""Public files: from RECURRA_DATA or a server, checked both ways. The server is on this machine."""

import gzip
import hashlib
import io
import lzma
import re
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pooch
import pytest

from recurra.datasets.base import Dataset, File
from recurra.datasets.sets import DATASETS
from recurra.errors import DataError, MissingFileError

CONTENT = b"To be, or not to be\n" * 10_000
HASH = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
WRONG = "sha256:" + "0" * 64


class Handler(SimpleHTTPRequestHandler):
    requests: ClassVar[list[str]] = []

    def log_message(self, *arguments: object) -> None:
        self.requests.append(self.path)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "www").mkdir()
    (tmp_path / "www" / "input.txt").write_bytes(CONTENT)
    Handler.requests.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(tmp_path / "www")))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("RECURRA_DATA", raising=False)
    monkeypatch.setattr(pooch, "os_cache", lambda project: str(tmp_path / "cache" / project))
    for variable in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(variable, raising=False)
    return tmp_path / "cache" / "recurra"


def test_a_file_is_downloaded_once(server: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = File(path="shakespeare/input.txt.xz", hash=HASH, url=f"{server}/input.txt")
    assert file.read() == CONTENT
    assert (cache / "shakespeare" / "input.txt").read_bytes() == CONTENT
    assert file.read() == CONTENT
    assert Handler.requests == ["/input.txt"]
    assert capsys.readouterr() == ("", "")


def test_what_is_served_compressed_is_unpacked(server: str, tmp_path: Path) -> None:
    packed = gzip.compress(CONTENT)
    (tmp_path / "www" / "input.txt.gz").write_bytes(packed)
    url_hash = "sha256:" + hashlib.sha256(packed).hexdigest()
    assert File("shakespeare/input.txt.gz", HASH, f"{server}/input.txt.gz", url_hash).read() == CONTENT


def test_progress_is_shown_on_a_terminal_and_on_standard_error(
    server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # with which rich takes anything for a terminal
    monkeypatch.setenv("TERM", "xterm")
    File(path="shakespeare/input.txt.xz", hash=HASH, url=f"{server}/input.txt").read()
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "input.txt" in captured.err
    assert "200.0/200.0 kB" in re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", captured.err)


def test_a_wrong_download_is_refused_and_not_kept(server: str, cache: Path) -> None:
    file = File(path="shakespeare/input.txt.xz", hash=WRONG, url=f"{server}/input.txt")
    with pytest.raises(DataError, match=r"not the expected content.*put shakespeare/input\.txt\.xz into a folder"):
        file.read()
    assert list((cache / "shakespeare").iterdir()) == []


def test_a_damaged_copy_in_the_cache_is_downloaded_again(server: str, cache: Path) -> None:
    (cache / "shakespeare").mkdir(parents=True)
    (cache / "shakespeare" / "input.txt").write_bytes(b"To be, or")
    assert File(path="shakespeare/input.txt.xz", hash=HASH, url=f"{server}/input.txt").read() == CONTENT


def test_a_server_without_the_file_or_none_at_all_says_what_to_do(server: str) -> None:
    for url in (f"{server}/other.txt", "http://127.0.0.1:9/input.txt"):
        with pytest.raises(MissingFileError, match=r"cannot be downloaded.*environment variable RECURRA_DATA"):
            File(path="shakespeare/input.txt.xz", hash=HASH, url=url).read()


def test_what_is_nowhere_public_says_what_to_do() -> None:
    with pytest.raises(MissingFileError, match=r"a/b\.txt: nowhere to be downloaded from; put a/b\.txt into a folder"):
        File(path="a/b.txt", hash=HASH).read()


def test_the_local_folder_comes_first_and_is_checked(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RECURRA_DATA", str(tmp_path / "data"))
    file = File(path="shakespeare/input.txt.xz", hash=HASH, url=f"{server}/input.txt", url_hash=WRONG)
    local = tmp_path / "data" / file.path
    local.parent.mkdir(parents=True)
    local.write_bytes(lzma.compress(CONTENT))
    assert file.read() == CONTENT
    assert Handler.requests == []
    local.write_bytes(lzma.compress(CONTENT[1:]))
    with pytest.raises(DataError, match=r"input\.txt\.xz: expected the content with sha256:"):
        file.read()
    local.unlink()
    with pytest.raises(DataError, match="not the expected content"):
        file.read()
    assert Handler.requests == ["/input.txt"]


def test_what_is_published_may_be_another_form(server: str) -> None:
    md5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
    assert File(path="a/b.xz", hash=WRONG, url=f"{server}/input.txt", url_hash=md5).read() == CONTENT


def test_a_data_set_reads_what_was_downloaded(server: str) -> None:
    files = {"text": File(path="a/b.xz", hash=HASH, url=f"{server}/input.txt")}
    dataset = Dataset("x", "", "", "", "", "", lambda files: {"train": {"text": [files["text"].decode()]}}, files)
    frame = dataset.load()["train"]
    assert frame["text"].tolist() == [CONTENT.decode()]
    assert list(frame.index) == [1]


def test_imdb_reads_the_published_archive() -> None:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        # In the archive 10 is before 9; other folders are not the training half.
        names = [
            f"train/{label}/{i}_{i % 10}.txt" for label in ("pos", "neg") for i in (10, 9, *range(9), *range(11, 20))
        ]
        for name in [*names, "train/unsup/0_0.txt", "test/pos/0_9.txt", "README"]:
            info = tarfile.TarInfo(f"aclImdb/{name}")
            content = f"review  {name}\nend".encode()
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    splits = DATASETS.get("imdb").read({"train": buffer.getvalue()})
    assert [len(splits[part]["text"]) for part in ("train", "test")] == [32, 8]
    texts = {text: label for part in splits.values() for text, label in zip(part["text"], part["label"], strict=True)}
    assert len(texts) == 40
    assert texts["review train/neg/10_0.txt end"] == "negative"
    negative = [text for text in splits["train"]["text"] if "/neg/" in text]
    assert negative == sorted(negative, key=lambda text: int(text.split("/")[2].split("_")[0]))
    table = "".join(
        f"{label}\t{i}\t{i % 10}\treview train/{label}/{i}_{i % 10}.txt end\n"
        for label in ("neg", "pos")
        for i in range(20)
    )
    assert DATASETS.get("imdb").read({"train": table.encode()}) == splits
