"""Which code ran: proved by spies on the compiled entry point, on torch's and on the reference."""

import pytest
import torch

from recurra.cells import CELLS, cell
from recurra.compile import cpu, path, reference, torch_kernels, without_kernels
from recurra.nn import GRU, Bidirectional, Recurrent
from recurra.sequences import Ragged


@cell(gates=("h",), states=("h",))
def ours(wx, h):
    return (wx + h).tanh()


@pytest.fixture
def calls(monkeypatch):
    """The names of the kernels that ran, in order."""
    seen = []

    def spy(owner, name, label):
        real = getattr(owner, name)

        def wrapped(*args, **kwargs):
            seen.append(label)
            return real(*args, **kwargs)

        monkeypatch.setattr(owner, name, wrapped)

    for kernel in set(torch_kernels.KERNELS.values()):
        spy(torch._VF, kernel, f"torch {kernel}")
    spy(reference, "unroll", "reference")
    launch = cpu.launch

    def launched(kernel, *args):
        seen.append(kernel.program.name)
        launch(kernel, *args)

    monkeypatch.setattr(cpu, "launch", launched)
    return seen


# Those that torch has fused kernels for.
TORCHS = [name for name, c in CELLS.all().items() if c in torch_kernels.KERNELS]


def layer_of(c, **options):
    return Recurrent(c, 3, 4, projection_size=2 if c.projects else 0, **options)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("lengths", [[3, 3], [3, 1, 0]], ids=str)
@pytest.mark.parametrize("name", CELLS.names())
def test_a_training_step_runs_the_compiled_programs_and_nothing_else(name, lengths, dtype, calls):
    c = CELLS.get(name)
    x = Ragged.from_list([torch.randn(n, 3, dtype=dtype) for n in lengths])
    layer = layer_of(c).to(dtype)
    layer(x)[0].values.sum().backward()
    with torch.no_grad():
        layer(x)
    assert path(c, x) == "kernel"
    assert calls == ["train", "back", "infer"]


def test_both_directions_and_drop_ins_too(calls):
    x = Ragged.from_list([torch.randn(n, 3) for n in (2, 5)])
    gru = CELLS.get("gru")
    Bidirectional(layer_of(gru), layer_of(gru, reverse=True))(x)
    GRU(3, 4, num_layers=2)(x)
    assert calls == ["train"] * 4


def test_a_cell_of_ones_own_is_compiled_like_any_other(calls):
    x = Ragged.from_list([torch.randn(2, 3)])
    layer_of(ours)(x)
    assert path(ours, x) == "kernel"
    assert calls == ["train"]


@pytest.mark.parametrize("lengths", [[3, 3], [3, 1, 0]], ids=str)
@pytest.mark.parametrize("name", TORCHS)
def test_in_bfloat16_torchs_kernel_runs_once(name, lengths, calls):
    c = CELLS.get(name)
    x = Ragged.from_list([torch.randn(n, 3).bfloat16() for n in lengths])
    layer_of(c).bfloat16()(x)
    assert path(c, x) == "torch"
    assert calls == [f"torch {name.replace('-projected', '').replace('-', '_')}"]


def test_in_bfloat16_any_other_cell_runs_the_reference(calls):
    x = Ragged.from_list([torch.randn(2, 3).bfloat16()])
    layer_of(ours).bfloat16()(x)
    assert path(ours, x) == "reference"
    assert calls == ["reference"]


def test_packing_is_computed_once_for_all_layers(monkeypatch):
    made = []
    real = torch.repeat_interleave
    monkeypatch.setattr(torch, "repeat_interleave", lambda *a, **k: made.append(1) or real(*a, **k))
    x = Ragged.from_list([torch.randn(n, 3).bfloat16() for n in (2, 5, 1)])
    GRU(3, 4, num_layers=3, bidirectional=True).bfloat16()(x)
    assert len(made) == 1


@pytest.mark.parametrize("name", ["gru", "lstm", "rnn-tanh"])
def test_sequences_of_one_length_are_not_packed(name, monkeypatch):
    x = Ragged.from_list([torch.randn(3, 3)] * 2)
    monkeypatch.setattr(type(x.layout), "packing", lambda *_: pytest.fail("packed"))
    layer_of(CELLS.get(name))(x)


@pytest.mark.parametrize("lengths", [[3, 3], [3, 1, 0]], ids=str)
@pytest.mark.parametrize("name", TORCHS)
def test_autocast_computes_in_bfloat16(name, lengths, close):
    layer = layer_of(CELLS.get(name))
    x = Ragged.from_list([torch.randn(n, 3) for n in lengths])
    expected, expected_final = layer(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y, final = layer(x)
        again, _ = layer(x, final)
    assert y.values.dtype == again.values.dtype == torch.bfloat16
    close(y.values, expected.values.bfloat16())
    close(layer.last(final).float().bfloat16(), layer.last(expected_final).bfloat16())
    y.values.float().sum().backward()
    assert layer.weight_ih.grad.dtype == torch.float32


@pytest.mark.parametrize("name", TORCHS)
def test_a_cells_own_python_runs_where_all_kernels_are_off(name, calls):
    layer, x = layer_of(CELLS.get(name)), Ragged.from_list([torch.randn(2, 3)])
    with without_kernels(torchs=True):
        layer(x)
    assert calls == ["reference"]
