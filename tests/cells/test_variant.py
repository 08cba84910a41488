"""What regularises a recurrence from inside, over every cell: compiled like the reference, and doing what it says."""

import copy
import pickle

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recurra.cells import CELLS, Mask, Noise, cell, clip_gradient, variant
from recurra.cells._noise import uniform
from recurra.compile import library, op, path, reference
from recurra.errors import InputError, UnknownNameError
from recurra.sequences import Ragged

HIDDEN, PROJECTED = 9, 4
OFFSETS = torch.tensor([0, 4, 4, 6, 11])
ALL = {"dropout": True, "clip": 0.1}

every_cell = pytest.mark.parametrize("name", CELLS.names())


def drawn(c, rows=4, dtype=torch.float64):
    """Weights, random values and initial states."""
    projected = PROJECTED if c.projects else 0
    params = {n: torch.randn(s, dtype=dtype) / HIDDEN**0.5 for n, s in c.parameter_shapes(HIDDEN, projected).items()}
    for n, r in c.random.items():
        size = c.random_sizes()[n](HIDDEN, projected)
        mask = torch.randint(0, 2, (rows, size)).to(dtype) * 2
        params[n] = mask if r.each == "sequence" else torch.randint(2**40, (rows,))
    initial = tuple(torch.rand(rows, s, dtype=dtype) + 0.5 for s in c.sizes(HIDDEN, projected).values())
    return params, initial


def run(unroll, c, x, weight, params, initial, reverse=False):
    """Output, final states, and gradients of their weighted sum to all that is not random."""
    leaves = [t.clone().requires_grad_() for t in (x.values, weight, *(params[n] for n in c.params), *initial)]
    values, w, *rest = leaves
    own = dict(zip(c.params, rest, strict=False)) | {n: params[n] for n in c.random}
    y, finals = unroll(c, x.with_values(values), w, None, own, tuple(rest[len(c.params) :]), reverse)
    draw = torch.Generator().manual_seed(1)
    total = sum((r * torch.randn(r.shape, generator=draw, dtype=r.dtype)).sum() for r in (y.values, *finals))
    grads = torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True)
    return [y.values, *finals, *grads]


def everything(c):
    """Every option a cell can have, at once."""
    options = {"zoneout": dict.fromkeys(c.states, 0.3), "clip": 0.1}
    try:
        return variant(c, dropout=True, **options)
    except InputError:
        return variant(c, **options)


@every_cell
@pytest.mark.parametrize("reverse", [False, True], ids=["forward", "reverse"])
@pytest.mark.parametrize("unroll", [op.unroll, library.unroll], ids=["kernel", "library"])
def test_compiled_equals_the_reference(name, reverse, unroll, close):
    c = everything(CELLS.get(name))
    x = Ragged(torch.randn(11, 3, dtype=torch.float64), OFFSETS)
    weight = torch.randn(len(c.gates) * HIDDEN, 3, dtype=torch.float64)
    params, initial = drawn(c)
    assert path(c, x) == "kernel"
    both = (run(u, c, x, weight, params, initial, reverse) for u in (unroll, reference.unroll))
    for got, wanted in zip(*both, strict=True):
        close(got, wanted)


@every_cell
def test_what_is_drawn_does_not_depend_on_the_batch(name, close):
    c = everything(CELLS.get(name))
    x = Ragged(torch.randn(11, 3, dtype=torch.float64), OFFSETS)
    weight = torch.randn(len(c.gates) * HIDDEN, 3, dtype=torch.float64)
    params, initial = drawn(c)
    with torch.no_grad():
        y, _ = op.unroll(c, x, weight, None, params, initial, False)
        for row in (0, 2, 3):
            own = {n: p[row : row + 1] if n in c.random else p for n, p in params.items()}
            alone, _ = op.unroll(c, x[[row]], weight, None, own, tuple(s[row : row + 1] for s in initial), False)
            close(alone.values, y[row])


def test_nothing_added_is_the_cell_itself():
    assert variant(CELLS.get("gru")) is CELLS.get("gru")
    assert variant(CELLS.get("gru"), zoneout={"h": 0.0}) is CELLS.get("gru")


def test_a_variant_is_made_once_and_survives_copies():
    made = variant(CELLS.get("lstm"), dropout=True, zoneout={"c": 0.2})
    assert variant(CELLS.get("lstm"), zoneout={"c": 0.2}, dropout=True) is made
    assert copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made)) is made


def test_masks_act_before_every_product():
    """Two products in a step: each has its own mask; with masks of zeros nothing is heard of the past but through z."""
    c = variant(CELLS.get("gru-reset-before"), dropout=True)
    assert c.given == ("U", "V", "dropout_0", "dropout_1")
    params, _ = drawn(c, rows=1)
    silent = params | {n: torch.zeros(1, HIDDEN, dtype=torch.float64) for n in c.random}
    wx, h = torch.randn(1, 3 * HIDDEN, dtype=torch.float64), torch.randn(1, HIDDEN, dtype=torch.float64)
    nothing = {"U": torch.zeros_like(params["U"]), "V": torch.zeros_like(params["V"])}
    torch.testing.assert_close(c(wx, h, **silent), CELLS.get("gru-reset-before")(wx, h, **nothing))


def test_zoneout_keeps_units_at_its_rate_and_evaluation_takes_the_mean():
    base = CELLS.get("lstm")
    trains, serves = (variant(base, zoneout={"c": 0.3}, expected=e) for e in (False, True))
    params, (h, c) = drawn(base, rows=2000)
    wx = torch.randn(2000, 4 * HIDDEN, dtype=torch.float64)
    noise = uniform(torch.arange(2000), 0, HIDDEN, torch.float64)
    _, zoned = trains(wx, h, c, **params, zoneout_c=noise)
    plain = base(wx, h, c, **params)[1]
    kept = zoned.eq(c)
    assert kept.double().mean().item() == pytest.approx(0.3, abs=0.02)
    assert torch.equal(zoned[~kept], plain[~kept])
    torch.testing.assert_close(serves(wx, h, c, **params)[1], 0.3 * c + 0.7 * plain)


def test_a_clipped_gradient_is_clipped_where_it_goes_back_a_step():
    x = torch.tensor([3.0, -4.0], requires_grad=True)
    (clip_gradient(x, 0.5) * torch.tensor([2.0, -0.1])).sum().backward()
    assert x.grad.tolist() == [0.5, pytest.approx(-0.1)]

    @cell(gates=("a",), states=("h",))
    def growing(wx, h):
        return 10 * h + wx

    c, steps = variant(growing, clip=1.0), Ragged(torch.ones(6, 1, requires_grad=True), torch.tensor([0, 6]))
    y, _ = op.unroll(c, steps, torch.ones(1, 1), None, {}, (torch.zeros(1, 1),), False)
    assert torch.autograd.grad(y[0][-1].sum(), steps.values)[0].flatten().tolist() == [1.0] * 6


@given(st.integers(0, 2**62), st.integers(0, 10**6), st.integers(1, 70))
def test_noise_lies_in_its_range_and_is_a_function_of_its_place(key, step, size):
    keys = torch.tensor([key, key + 1])
    single, double = (uniform(keys, step, size, dtype) for dtype in (torch.float32, torch.float64))
    assert torch.equal(single.double(), double)
    assert double.min() >= 0
    assert double.max() < 1
    assert torch.equal(uniform(keys[:1], step, size, torch.float64), double[:1])


def test_noise_is_uniform_and_independent():
    draws = torch.stack([uniform(torch.arange(200), t, 50, torch.float64) for t in range(20)])
    assert draws.mean().item() == pytest.approx(0.5, abs=0.01)
    assert draws.std().item() == pytest.approx(12**-0.5, abs=0.01)
    for shifted in (draws[1:] - draws[:-1], draws[:, 1:] - draws[:, :-1], draws[..., 1:] - draws[..., :-1]):
        assert shifted.var().item() == pytest.approx(1 / 6, rel=0.05)  # no correlation between neighbours


def test_a_cell_of_ones_own_may_declare_random_values():
    @cell(gates=("a",), states=("h",))
    def shaken(wx, h, *, keep=Mask("H"), z=Noise("H")):
        return (wx + h * keep + 0.1 * (z - 0.5)).tanh()

    assert shaken.given == ("keep", "z")
    params, initial = drawn(shaken)
    x, weight = Ragged(torch.randn(11, 3, dtype=torch.float64), OFFSETS), torch.randn(HIDDEN, 3, dtype=torch.float64)
    both = (run(u, shaken, x, weight, params, initial) for u in (op.unroll, reference.unroll))
    for got, wanted in zip(*both, strict=True):
        torch.testing.assert_close(got, wanted)


def test_what_makes_no_sense_is_refused():
    with pytest.raises(InputError, match="indrnn has no matrix product"):
        variant(CELLS.get("indrnn"), dropout=True)
    with pytest.raises(UnknownNameError, match="state of lstm"):
        variant(CELLS.get("lstm"), zoneout={"x": 0.1})
