"""Compiled code on the disk: kept, shared, mended; and used from many threads and processes."""

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from recurra.cells import CELLS, cell
from recurra.compile import cpu, objects
from recurra.nn import LSTM, Recurrent
from recurra.sequences import Ragged

TEXT = "define void @run(ptr %p) {\n  store i64 7, ptr %p\n  ret void\n}\n"

PROGRAM = """
import torch
from recurra.nn import GRU
torch.manual_seed(0)
x = torch.randn(5, 2, 3)
layer = GRU(3, 4)
y, _ = layer(x)
y.sum().backward()
theirs = torch.nn.GRU(3, 4)
theirs.load_state_dict(layer.state_dict())
assert torch.allclose(theirs(x)[0], y, atol=1e-6)
"""


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path))
    return tmp_path / "kernels"


@pytest.fixture
def compilations(monkeypatch):
    """How often something was compiled."""
    made = []
    real = objects._make
    monkeypatch.setattr(objects, "_make", lambda *a: made.append(1) or real(*a))
    return made


def answer():
    place = torch.zeros(1, dtype=torch.int64)
    objects.function(TEXT, "run")(place.data_ptr())
    return place.item()


def test_compiled_once_and_kept(cache, compilations):
    assert [answer(), answer()] == [7, 7]
    assert len(compilations) == 1
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b[:-1] + b"?", lambda b: b"x" * len(b)])
def test_a_damaged_file_is_made_anew(cache, compilations, damage):
    answer()
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    file.write_bytes(damage(whole))
    assert answer() == 7
    assert len(compilations) == 2
    assert len(file.read_bytes()) == len(whole)


def test_a_folder_that_cannot_be_written_only_costs_time(tmp_path, monkeypatch, compilations):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECURRA_CACHE", str(tmp_path / "file"))
    assert [answer(), answer()] == [7, 7]
    assert len(compilations) == 2


def test_the_users_cache_is_the_default(monkeypatch):
    monkeypatch.delenv("RECURRA_CACHE", raising=False)
    assert objects.folder().parts[-2:] == ("recurra", "kernels")


def test_many_processes_compile_the_same_cell_at_once(cache):
    env = os.environ | {"RECURRA_CACHE": str(cache.parent), "OMP_NUM_THREADS": "1"}
    running = [subprocess.Popen([sys.executable, "-c", PROGRAM], env=env) for _ in range(3)]
    assert [p.wait(120) for p in running] == [0, 0, 0]
    files = sorted(p.name for p in cache.iterdir())
    assert len(files) == 3  # forward, backward, and the matrix product that both call
    assert all(name.endswith(".o") and not name.startswith(".") for name in files)


def test_python_threads_may_use_one_layer_at_once():
    layer = LSTM(3, 20)
    x = torch.randn(50, 6, 3)

    def step(_):
        y, _ = layer(x)
        return y, torch.autograd.grad(y.sum(), layer.weight_hh_l0)[0]

    expected = step(0)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(step, range(16)):
            assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))


def test_python_threads_may_compile_one_cell_at_once():
    @cell(gates=("a",), states=("h",))
    def fresh(wx, h):
        return (wx + 0.25 * h).tanh()

    layer, x = Recurrent(fresh, 3, 4), Ragged.from_list([torch.randn(5, 3)])
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: layer(x)[0].values, range(8)))
    assert all(torch.equal(f, found[0]) for f in found)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_a_forked_process_can_go_on():
    layer, x = LSTM(3, 8), torch.randn(5, 2, 3)
    with torch.no_grad():
        expected = layer(x)[0]
        child = os.fork()
        if child == 0:
            os._exit(0 if torch.equal(layer(x)[0], expected) else 1)
        assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("name", CELLS.names())
def test_a_kernel_is_made_once_for_all_sizes(name):
    c = CELLS.get(name)
    assert cpu.kernel(c, "train", torch.float32) is cpu.kernel(c, "train", torch.float32)
