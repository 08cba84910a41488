"""On a GPU the same layers run: cells that torch has through cuDNN, others through the reference."""

import copy

import pandas as pd
import pytest
import torch

import recurra
from recurra.cells import CELLS
from recurra.compile import path
from recurra.compile.torch_kernels import KERNELS
from recurra.nn import Recurrent
from recurra.sequences import Ragged
from recurra.streaming import Stream

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")

# cuDNN and the CPU sum in different orders, and cuDNN may round products to TensorFloat-32.
CLOSE = {"rtol": 1e-3, "atol": 1e-3}


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("lengths", [(5, 5), (6, 0, 2)], ids=str)
@pytest.mark.parametrize("name", CELLS.names())
def test_every_cell_gives_what_it_gives_on_the_cpu(name, lengths, reverse):
    cell = CELLS.get(name)
    layer = Recurrent(cell, 3, 8, projection_size=4 if cell.projects else 0, reverse=reverse)
    twin = copy.deepcopy(layer).cuda()
    x = Ragged.from_list([torch.randn(n, 3) for n in lengths])
    assert path(cell, x.to("cuda")) == ("torch" if cell in KERNELS else "reference")
    (y, state), (there, state_there) = layer(x), twin(x.to("cuda"))
    torch.testing.assert_close(there.values.cpu(), y.values, **CLOSE)
    for n in state:
        torch.testing.assert_close(state_there[n].cpu(), state[n], **CLOSE)
    y.values.square().sum().backward()
    there.values.square().sum().backward()
    for p, q in zip(layer.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(q.grad.cpu(), p.grad, rtol=1e-2, atol=1e-2)


def test_what_regularises_draws_there_too():
    layer = Recurrent(CELLS.get("lstm"), 3, 8, recurrent_dropout=0.4, zoneout=0.2, weight_drop=0.2).cuda()
    x = Ragged.from_list([torch.randn(n, 3) for n in (5, 2)]).to("cuda")
    assert not torch.equal(layer(x)[0].values, layer(x)[0].values)
    layer.eval()
    torch.testing.assert_close(layer(x)[0].values, layer(x)[0].values)


def test_a_stream_goes_step_by_step():
    layer = Recurrent(CELLS.get("gru"), 3, 8).cuda().eval()
    x = torch.randn(6, 3, device="cuda")
    stream = Stream(layer)
    steps = torch.stack([stream.feed(step) for step in x])
    torch.testing.assert_close(steps, layer(Ragged.from_list([x]))[0].values.detach(), **CLOSE)


@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
def test_a_task_trains_there(tmp_path, precision):
    rows = [{"text": f"{'good' if i % 2 else 'bad'} film {i}", "label": "up" if i % 2 else "down"} for i in range(80)]
    run = recurra.train(
        "sentiment", pd.DataFrame(rows), out=tmp_path / "run", hidden=16, epochs=8, rate=0.02, batch_tokens=128,
        device="cuda", precision=precision, clip_value=1.0,
    )  # fmt: skip
    assert run.evaluate(pd.DataFrame(rows))["metrics"]["accuracy"] > 0.9
