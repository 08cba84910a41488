"""A layer beside torch.nn's, ONNX Runtime's and JAX's, over a grid of sizes.

``train`` is forward and backward, to the input and all weights; ``infer`` the forward pass without gradients.
``dense``: every sequence has T steps; ``ragged``: lengths uniform from 1 to T, which torch takes padded or packed.
The peer that we gain least against counts. Two layers and both directions are measured at one size.

Where H is at least 256, training also gives the share of matrix-product peak: the floating-point operations of the
products alone, forward and backward, a second, over those of a product of two 1024 by 1024 matrices in the same round.
With few rows a product reads weights for longer than it computes, so the target is for B of 32 and more.
"""

from dataclasses import replace
from functools import partial
from itertools import product

import torch

from recurra.bench import _jax, _onnx
from recurra.bench._compare import Rounds, compare, timer
from recurra.bench._sides import Case, Sides, kinds
from recurra.bench.base import Benchmark, Job, Options, Point, Target
from recurra.errors import UnknownNameError

BATCH, STEPS, HIDDEN = (1, 8, 32, 128), (35, 100), (64, 128, 256, 512)
QUICK = ((8, 35, 64), (32, 35, 128), (32, 35, 256))
DEEPER = (32, 35, 128)
MODES = ("train", "infer")
PEAK = 1024
PEAK_HIDDEN, PEAK_BATCH = 256, 32


def cases(options: Options) -> list[Case]:
    """Raises UnknownNameError for a mode or cell that there is not."""
    for mode in options.modes:
        if mode not in MODES:
            raise UnknownNameError("mode", mode, MODES)
    given = options.batch or options.steps or options.hidden
    grid = list(product(options.batch or BATCH, options.steps or STEPS, options.hidden or HIDDEN))
    found = []
    for mode, kind in product(options.modes or MODES, kinds(options.cells)):
        train = mode == "train"
        for ragged, (b, t, h) in product((False, True), QUICK if options.quick and not given else grid):
            found.append(Case(kind, b, t, h, ragged, train))
        if not given:
            plain = Case(kind, *DEEPER, train=train)
            found += [replace(plain, layers=2), replace(plain, both=True)]
    return found


def jobs(options: Options) -> list[Job]:
    if options.jax:
        _jax.check()
    return [Job(f"{case.group} {_text(case)}", partial(measure, case, options)) for case in cases(options)]


def measure(case: Case, options: Options) -> list[Point]:
    least, sides = options.least_seconds, Sides(case)
    works = sides.torch()
    if not case.train and _onnx.installed():
        works["onnxruntime"] = _onnx.whole(sides.theirs, sides.padded, sides.lengths)
    if options.jax and case.layers == 1 and not case.both:
        works["jax"] = _jax.whole(sides.theirs, sides.padded, case.train)
    against = list(works)
    if peak := case.train and not case.ragged and case.hidden >= PEAK_HIDDEN:
        a, b = torch.randn(2, PEAK, PEAK)
        works["mm"] = lambda: torch.mm(a, b)
    peers = {name: timer(work, least) for name, work in works.items()}
    rounds = compare(timer(sides.recurra(), least), peers, options.rounds_or(3, 7))
    best = rounds.best(against)
    points = [Point(case.group, case.place, rounds.ratio(best), peer=best)]
    return [*points, _share(case, rounds)] if peak else points


def _share(case: Case, rounds: Rounds) -> Point:
    flops = case.product_flops(case.batch * case.steps) / (2 * PEAK**3)
    few = "" if case.batch >= PEAK_BATCH else f" B<{PEAK_BATCH}"
    return Point(f"peak{few} {case.group}", case.place, rounds.ratio("mm", flops), unit="of mm")


def _text(case: Case) -> str:
    return " ".join(f"{letter} {value}" for letter, value in case.place.items())


TARGETS = [Target(f"train dense {kind}", value) for kind, value in (("rnn", 2.5), ("gru", 2.0), ("lstm", 1.3))]
TARGETS += [Target(f"train ragged {kind}", 3.0) for kind in ("rnn", "gru", "lstm")]
TARGETS += [Target(f"infer dense {kind}", value) for kind, value in (("rnn", 1.5), ("gru", 1.5), ("lstm", 1.2))]
TARGETS += [Target("train", 0.95, each=True), Target("peak train", 0.8, each=True)]

layers = Benchmark("a layer beside torch.nn and ONNX Runtime, training and inference", jobs, tuple(TARGETS))
