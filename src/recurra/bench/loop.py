"""The training loop's own cost: a bare torch loop over the same network, against ours.

Both train a character language model (embedding, LSTM, tied output layer) with the same batches, AdamW and
clipping. Ours also keeps its log, its schedule and its checkpoint. 0.95 means 5 % slower.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import torch
from torch import nn

from recurra.bench._compare import clock, compare
from recurra.bench._epoch import training
from recurra.bench.base import Benchmark, Job, Options, Place, Point, Target
from recurra.heads import HEADS
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model, ModelConfig
from recurra.sequences.batches import Streams
from recurra.training import TrainingConfig
from recurra.trunk import TrunkConfig

STREAMS, STEPS, BATCHES, VOCABULARY = 32, 64, 40, 80
HIDDEN, QUICK = (128, 256, 512), (128,)


@dataclass(frozen=True)
class Size:
    """Parallel streams of text, steps between two updates, hidden units."""

    streams: int
    steps: int
    hidden: int

    @property
    def config(self) -> TrainingConfig:
        return TrainingConfig(epochs=1, batch_tokens=self.streams * self.steps, truncation=self.steps)


def ours(size: Size, tokens: torch.Tensor, folder: Path) -> Callable[[], float]:
    text = Text.fit(TextConfig(unit="char"), ["".join(map(chr, range(33, 33 + VOCABULARY - 2)))])
    config = ModelConfig("text", "next", text.settings, TrunkConfig(hidden=size.hidden), HEADS.get("next").config())
    model = Model(config, text, {})
    batches = Streams(tokens, size.streams, size.steps, shuffle=False)
    return training(model, batches, size.config, folder)


class Bare(nn.Module):
    """What a user writes by hand."""

    def __init__(self, hidden: int):
        super().__init__()
        self.embedding = nn.Embedding(VOCABULARY, hidden)
        self.lstm = nn.LSTM(hidden, hidden, batch_first=True)
        self.output = nn.Linear(hidden, VOCABULARY)
        self.output.weight = self.embedding.weight

    def forward(self, x: torch.Tensor, state: Any) -> Any:
        y, state = self.lstm(self.embedding(x), state)
        return self.output(y), state


def bare(size: Size, tokens: torch.Tensor) -> Callable[[], float]:
    model = Bare(size.hidden)
    x, y = tokens[:-1].view(size.streams, -1), tokens[1:].view(size.streams, -1)

    def run() -> float:
        start = clock()
        optimizer = torch.optim.AdamW(model.parameters(), lr=size.config.rate, fused=True)
        state = None
        for i in range(0, x.shape[1], size.steps):
            logits, state = model(x[:, i : i + size.steps], state)
            loss = nn.functional.cross_entropy(logits.flatten(0, 1), y[:, i : i + size.steps].flatten())
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(model.parameters(), size.config.clip_norm)
            optimizer.step()
            state = tuple(s.detach() for s in state)
            loss.item()
        return clock() - start

    return run


def jobs(options: Options) -> list[Job]:
    hidden = options.hidden or (QUICK if options.quick else HIDDEN)
    grid = product(options.batch or (STREAMS,), options.steps or (STEPS,), hidden)
    return [Job(f"loop lstm B {b} T {t} H {h}", partial(measure, b, t, h, options)) for b, t, h in grid]


def measure(streams: int, steps: int, hidden: int, options: Options) -> list[Point]:
    size = Size(streams, steps, hidden)
    tokens = torch.randint(2, VOCABULARY, (streams * steps * BATCHES + 1,))
    with tempfile.TemporaryDirectory() as folder:
        sides = ours(size, tokens, Path(folder)), {"bare torch": bare(size, tokens)}
        rounds = compare(*sides, options.rounds_or(3, 7))
    place: Place = {"B": streams, "T": steps, "H": hidden}
    return [Point("loop lstm", place, rounds.ratio("bare torch"), peer="bare torch")]


loop = Benchmark("the training loop beside a bare one of torch", jobs, (Target("loop", 0.95, each=True),))
