"""Whole training steps of three tasks' networks: torch's kernels behind the same seam, against ours.

Everything but the recurrent layers is the same on both sides: embeddings, dropout, head, loss, AdamW. The texts are
drawn at random; their lengths and vocabularies are those of the data sets named.
"""

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch

from recurra.bench._compare import compare
from recurra.bench.base import Benchmark, Job, Options, Point
from recurra.compile import without_kernels
from recurra.heads import HEADS
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model, ModelConfig
from recurra.sequences import Ragged
from recurra.trunk import TrunkConfig

STEPS = 10  # in a measurement


def _model(vocabulary: int, output: str, trunk: TrunkConfig, known: dict[str, Any]) -> Model:
    words = [chr(0x4E00 + i) for i in range(vocabulary - 2)]
    text = Text.fit(TextConfig(unit="char"), ["".join(words)])
    return Model(ModelConfig("text", output, text.settings, trunk, HEADS.get(output).config()), text, known)


def _characters() -> tuple[Model, Ragged, Ragged | torch.Tensor]:
    """tinyshakespeare, a brief training: 32 streams of 64 characters."""
    trunk = TrunkConfig(hidden=256, embedding=64, input_dropout=0.05, dropout=0.2)
    x = Ragged(torch.randint(2, 65, (32 * 64,)), torch.arange(33) * 64)
    return _model(65, "next", trunk, {}), x, x


def _words() -> tuple[Model, Ragged, Ragged | torch.Tensor]:
    """ptb, the small network: 20 streams of 35 words."""
    trunk = TrunkConfig(layers=2, hidden=200, input_dropout=0.15, dropout=0.25)
    x = Ragged(torch.randint(2, 10_000, (20 * 35,)), torch.arange(21) * 35)
    return _model(10_000, "next", trunk, {}), x, x


def _sentences() -> tuple[Model, Ragged, Ragged | torch.Tensor]:
    """sst2: about 100 sentences of 2 to 40 words, read in both directions."""
    trunk = TrunkConfig(hidden=128, bidirectional=True, input_dropout=0.5, dropout=0.3)
    x = Ragged.from_list([torch.randint(2, 8_000, (int(n),)) for n in torch.randint(2, 41, (100,))])
    return (
        _model(8_000, "category", trunk, {"labels": ["no", "yes"], "weights": [1.0, 1.0]}),
        x,
        torch.randint(2, (100,)),
    )


TASKS = {"language-model, characters": _characters, "language-model, words": _words, "sentiment": _sentences}


def _training(model: Model, x: Ragged, targets: Ragged | torch.Tensor) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            total, count, _state = model(x, targets, None)
            optimizer.zero_grad()
            (total / count).backward()
            optimizer.step()
        return time.perf_counter() - start

    return run


def jobs(options: Options) -> list[Job]:
    return [Job(name, partial(measure, name, options)) for name in TASKS]


def measure(name: str, options: Options) -> list[Point]:
    model, x, targets = TASKS[name]()
    run = _training(model, x, targets)

    def theirs() -> float:
        with without_kernels():
            return run()

    rounds = compare(run, {"torch's kernels": theirs}, options.rounds_or(3, 11))
    steps = x.values.shape[0] * STEPS
    speed = {side: f"{steps / min(seconds):,.0f}" for side, seconds in rounds.seconds.items()}
    before, after = (speed[side] for side in ("torch's kernels", "recurra"))
    place: dict[str, int | str] = {"tokens a second": f"{before} before, {after} after"}
    return [Point(name, place, rounds.ratio("torch's kernels"), peer="torch's kernels")]


tasks = Benchmark("training steps of whole tasks, with torch's kernels and with ours", jobs)
