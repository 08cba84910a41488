"""Benchmarks run, say what they measured, and reckon rightly; how fast anything is, is no test's business."""

import json

import pytest
import torch
from typer.testing import CliRunner

from recurra.bench import (
    BENCHMARKS,
    Point,
    Spread,
    Target,
    _jax,
    _neuralforecast,
    _onnx,
    _series,
    summary,
    tagging,
    translation,
)
from recurra.bench._compare import Rounds, compare
from recurra.bench._sides import Case, Sides
from recurra.bench._training import Training
from recurra.cells import CELLS
from recurra.cli import application
from recurra.export import onnx_graph
from recurra.nn import Recurrent

TINY = ["--batch", "2", "--steps", "3", "--hidden", "5", "--cells", "gru", "--rounds", "1", "--quick", "--json"]


def spread(value):
    return Spread(value, value, value, 1)


@pytest.mark.parametrize("name", BENCHMARKS.names())
def test_every_benchmark_measures_a_tiny_point(name):
    # Less than this is less than a page of memory.
    larger = ["--steps", "30", "--hidden", "64"] if name == "memory" else []
    call = ["bench", name, *TINY, *larger, "--threads", "2"]
    result = CliRunner().invoke(application(), call, catch_exceptions=False)
    machine, *points, last = [json.loads(line) for line in result.stdout.splitlines()]
    assert machine["machine"]["threads"] == 2
    assert torch.get_num_threads() == 1
    assert points
    for point in points:
        assert set(point) == {"benchmark", "group", "place", "median", "low", "high", "rounds", "unit", "peer"}
        assert 0 < point["low"] <= point["median"] <= point["high"]
    assert last["benchmark"] == name
    assert {row["group"] for row in last["summary"]} >= {point["group"] for point in points}


def test_layers_measures_what_is_asked_for_and_ends_with_a_table():
    call = ["bench", "layers", *TINY[:-1], "--modes", "infer"]
    lines = CliRunner().invoke(application(), call, catch_exceptions=False).stdout.splitlines()
    assert [line.split()[:3] for line in lines[:2]] == [["infer", "dense", "gru"], ["infer", "ragged", "gru"]]
    assert lines[3].split()[:2] == ["layers", "points"]
    assert "at least 1.5" in lines[4]


def test_every_target_is_of_a_group_that_is_measured():
    cases = [Case(k, 32, 35, 256, r, t) for k in ("rnn", "gru", "lstm") for r in (True, False) for t in (True, False)]
    groups = [c.group for c in cases]
    for target in BENCHMARKS.get("layers").targets:
        name = target.group.removeprefix("peak ")
        assert any(group.startswith(name) if target.each else group == name for group in groups), target


@pytest.mark.parametrize("ragged", [False, True])
def test_both_sides_do_the_same_work(ragged, close):
    for train in (False, True):
        sides = Sides(Case("lstm", 3, 4, 5, ragged, train))
        ours, theirs = sides.recurra()(), sides.torch()["torch packed" if ragged else "torch padded"]()
        if train:
            assert [g.shape for g in ours[1:]] == [g.shape for g in theirs[1:]]
        else:
            assert ours.numel() == theirs.numel()
            close(ours.sum(), theirs.sum())


def test_both_taggers_are_the_same_network():
    ours, theirs, model, plain, _ = tagging.sides(4, 5)
    pairs = [
        (plain.words, model.encoder.table),
        (plain.characters, model.encoder.characters.table),
        (plain.output, model.head.output),
    ]
    for mine, other in pairs:
        mine.load_state_dict(other.state_dict())
    for layer, both in ((plain.spelling, model.encoder.characters.layer), (plain.layer, model.trunk.layers[0])):
        for end, one in (("l0", both.forwards), ("l0_reverse", both.backwards)):
            weights = {"weight_ih": one.weight_ih, "bias_ih": one.bias_ih, "weight_hh": one.params["U"]}
            for name, value in {**weights, "bias_hh": torch.zeros_like(one.bias_ih)}.items():
                getattr(layer, f"{name}_{end}").data.copy_(value)
    for name in ("transitions", "first", "last"):
        weight = getattr(model.head.crf, name).data.normal_()
        legal = model.head.crf.get_buffer({"transitions": "allowed", "first": "may_begin", "last": "may_end"}[name])
        getattr(plain, name).data.copy_(weight.masked_fill(~legal, -1e4))
    model.eval(), plain.eval()
    torch.testing.assert_close(theirs(), ours())


def test_flops_of_the_products():
    # Forward, to the input and to the weights: three products of two operations with every weight at every step.
    for case in (Case("lstm", 1, 1, 8), Case("gru", 1, 1, 8, layers=2, both=True)):
        weights = sum(p.numel() for p in Sides(case).theirs.parameters() if p.ndim == 2)
        assert case.product_flops(10) == 3 * 2 * weights * 10


def test_sides_alternate_and_ratios_are_of_one_round():
    seen = []

    def side(name, seconds):
        return lambda: seen.append(name) or seconds[seen.count(name) - 1]

    # The first of each is the warming up.
    rounds = compare(side("a", [9, 1, 2, 4]), {"b": side("b", [9, 3, 2, 8]), "c": side("c", [9, 2, 8, 4])}, 3)
    assert "".join(seen) == "abc" + "cba" + "abc" + "cba"
    assert rounds.ratio("b") == Spread(2.0, 1.0, 3.0, 3)
    assert rounds.ratio("c", factor=2.0) == Spread(4.0, 2.0, 8.0, 3)


def test_the_peer_that_least_is_gained_against_counts():
    rounds = Rounds({"recurra": [1.0, 1.0], "slow": [3.0, 5.0], "fast": [2.0, 2.5]})
    assert rounds.best(["slow", "fast"]) == "fast"


def test_summary_holds_means_and_worst_points_against_targets():
    points = [
        Point("train lstm", {"B": 1}, spread(0.5)),
        Point("train lstm", {"B": 8}, spread(8.0)),
        Point("train gru", {"B": 1}, spread(3.0)),
        Point("cached", {"cell": "gru"}, spread(0.1), unit="s"),
        Point("cached", {"cell": "lstm"}, spread(0.4), unit="s"),
    ]
    targets = [
        Target("train lstm", 1.5),
        Target("train", 0.95, each=True),
        Target("cached", 0.2, each=True, at_most=True),
    ]
    lstm, gru, cached, train, all_cached = summary(points, [*targets, Target("memory", 1.0, each=True)])
    assert (lstm.value, lstm.worst.place, lstm.met, lstm.points) == (pytest.approx(2.0), {"B": 1}, True, 2)
    assert (gru.value, gru.target, gru.met) == (pytest.approx(3.0), None, None)
    assert (cached.value, cached.worst.place) == (pytest.approx(0.2), {"cell": "lstm"})
    assert (train.value, train.worst.group, train.met, train.points) == (0.5, "train lstm", False, 3)
    assert (all_cached.value, all_cached.met) == (0.4, False)


def test_what_shrinks_has_an_exponent_below_0():
    points = [Point("growth", {}, spread(value), unit="exponent") for value in (-0.5, 1.5)]
    mean, worst = summary(points, [Target("growth", 1.1, each=True, at_most=True)])
    assert (mean.value, worst.value, worst.met) == (0.5, 1.5, False)


def test_neuralforecast_trains_and_forecasts_every_series():
    pytest.importorskip("neuralforecast")
    frame = _series.table(2, 60, season=6, frequency="D")
    frame["ds"] = list(range(60)) * 2
    peer = _neuralforecast.Peer(frame, _neuralforecast.Training(4, 8, 4, 5, 2, 3, (0.1, 0.5, 0.9)))
    assert peer.train() > 0
    assert {name: values.shape for name, values in peer.forecast().items()} == {"series 0": (4,), "series 1": (4,)}


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
def test_onnx_runtime_does_the_same_work_and_is_caught_if_not(kind, monkeypatch):
    pytest.importorskip("onnxruntime")
    for layers, both in ((1, False), (2, True)):
        sides = Sides(Case(kind, 3, 4, 5, ragged=True, train=False, layers=layers, both=both))
        _onnx.whole(sides.theirs, sides.padded, sides.lengths)()
    alone = Sides(Case(kind, 1, 1, 5, train=False)).theirs
    assert _onnx.stream(alone)(torch.randn(5).numpy()).shape == (5,)
    if kind != "rnn":
        cell = CELLS.get(kind)
        operator, _, attributes = onnx_graph.OPERATORS[cell]
        monkeypatch.setitem(onnx_graph.OPERATORS, cell, (operator, cell.gates, attributes))
        with pytest.raises(RuntimeError, match="does not do the same work"):
            _onnx.stream(alone)


@pytest.mark.parametrize("kind", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize("train", [False, True])
def test_jax_does_the_same_work(kind, train):
    pytest.importorskip("jax")
    sides = Sides(Case(kind, 3, 4, 5, train=train))
    _jax.whole(sides.theirs, sides.padded, train)()


@pytest.mark.parametrize("name", ["rnn-tanh", "lstm-layer-norm", "sru"])
def test_a_cells_python_goes_through_torch_compile_whole(name):
    c = CELLS.get(name)
    layer, training = Recurrent(c, 4, 4, projection_size=2 if c.projects else 0), Training(2, 3, 4)
    # Any other backend takes the same graph, this one without a C++ compiler.
    work = training.compiled(layer, backend="aot_eager")
    assert [g.shape for g in work()] == [g.shape for g in training.step(layer)()]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["layrs"], "did you mean 'layers'"),
        (["layers", "--cells", "gur"], "did you mean 'gru'"),
        (["layers", "--modes", "training"], "did you mean 'train'"),
        (["layers", "--batch", "1,x"], "expected numbers with commas between them, got '1,x'"),
        (["layers", "--batch", "0"], "batch: expected positive numbers, got 0"),
        (["layers", "--rounds", "-1"], "rounds: expected at least 1"),
    ],
)
def test_wrong_calls(arguments, says):
    result = CliRunner().invoke(application(), ["bench", *arguments])
    assert result.exit_code != 0
    assert says in (str(result.exception) + " ".join(result.output.replace("│", " ").split()))


def test_both_sides_of_translation_are_one_network(close):
    model = translation.network(hidden=8, dropout=0.0).double().eval()
    source, target = translation.pairs(4, 6)
    net = translation.peer(model).double().eval()
    ours, theirs = model(source, target)[0], translation.plain(net, source, target)()
    close(theirs, ours)
    ours.backward()
    theirs.backward()
    close(net.embedding.weight.grad, model.encoder.weight.grad)
    close(net.decoder.weight_hh_l0.grad, model.head.decoder.layers[0].recurrent.params["U"].grad)
