"""A training's state in one file."""

import random

import pytest
import torch

from recurra.errors import RunError
from recurra.training import checkpoint


def test_gives_back_what_was_written(tmp_path):
    layer = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(layer.parameters())
    layer(torch.ones(1, 2)).sum().backward()
    optimizer.step()
    tree = {
        "optimizer": optimizer.state_dict(),
        "list": [1, 2.5, None, "x", torch.arange(3)],
        "empty": {},
        "flag": True,
    }
    checkpoint.write(tmp_path / "file", tree)
    back = checkpoint.read(tmp_path / "file")
    assert back["list"][:4] == [1, 2.5, None, "x"]
    assert torch.equal(back["list"][4], torch.arange(3))
    assert back["empty"] == {}
    assert back["flag"] is True
    other = torch.optim.AdamW(layer.parameters())
    other.load_state_dict(back["optimizer"])
    for a, b in zip(other.state.values(), optimizer.state.values(), strict=True):
        assert all(torch.equal(a[k], b[k]) for k in b)


def test_floats_keep_every_bit(tmp_path):
    values = [random.Random(0).random() * 10.0**e for e in range(-300, 300, 37)]
    checkpoint.write(tmp_path / "file", {"values": values})
    assert checkpoint.read(tmp_path / "file")["values"] == values


def test_random_state_goes_on_where_it_was(tmp_path):
    torch.manual_seed(1)
    checkpoint.write(tmp_path / "file", checkpoint.random_state())
    expected = torch.rand(5)
    torch.rand(7)
    checkpoint.restore_random_state(checkpoint.read(tmp_path / "file"))
    assert torch.equal(torch.rand(5), expected)


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"\x08\0\0\0\0\0\0\0{}      "])
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(RunError, match="file: not a readable checkpoint"):
        checkpoint.read(tmp_path / "file")


def test_a_write_that_fails_leaves_the_old_file(tmp_path):
    checkpoint.write(tmp_path / "file", {"a": 1})
    with pytest.raises(TypeError):
        checkpoint.write(tmp_path / "file", {"a": object()})
    assert checkpoint.read(tmp_path / "file") == {"a": 1}
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
