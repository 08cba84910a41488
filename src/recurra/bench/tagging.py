"""Training steps of a tagger of words, against the same network written with torch.nn and packed sequences.

Both sides: vectors of words and of their characters (an LSTM in both directions over each distinct word), an LSTM in
both directions over the sentences, dropout, a linear layer, a CRF; AdamW. torch's CRF is the usual one: a padded loop
over time in logarithms, its gradient by autograd. Words and tags are drawn at random, lengths as sentences have them.
"""

import random
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from recurra.bench._compare import compare
from recurra.bench.base import Benchmark, Job, Options, Point, Target
from recurra.heads import HEADS
from recurra.heads.tags import Tags
from recurra.modalities.text import Text, TextConfig
from recurra.model import Model, ModelConfig
from recurra.trunk import TrunkConfig

STEPS = 5  # in a measurement
WORDS, KINDS = 10_000, ("A", "B", "C", "D")
CHARACTERS, DROPOUT = 50, 0.5
PEER = "torch.nn, packed"


class Plain(nn.Module):
    """The network of a ``Model`` for tags, in torch.nn's own layers. Reads what the model's text encodes."""

    def __init__(self, model: Model, words: int, width: int, hidden: int, alphabet: int):
        super().__init__()
        assert isinstance(model.head, Tags)
        tags, self.width = len(model.head.labels), CHARACTERS // 2
        self.words, self.characters = nn.Embedding(words, width - CHARACTERS), nn.Embedding(alphabet, self.width)
        self.spelling = nn.LSTM(self.width, self.width, bidirectional=True, batch_first=True)
        self.layer = nn.LSTM(width, hidden, bidirectional=True, batch_first=True)
        self.output = nn.Linear(2 * hidden, tags)
        self.transitions, self.first, self.last = (
            nn.Parameter(torch.zeros(shape)) for shape in ((tags, tags), (tags,), (tags,))
        )

    def forward(self, values: Tensor, tags: Tensor, lengths: Tensor) -> Tensor:
        """values: [B, T, 2 + LONGEST], padded. tags: [B, T]. lengths: [B]. Returns the summed loss in nats."""
        mask = torch.arange(values.shape[1]) < lengths[:, None]
        spelled, place = torch.unique(values[mask][:, 2:], dim=0, return_inverse=True)
        packed = pack_padded_sequence(
            self.characters(spelled), (spelled > 0).sum(1), batch_first=True, enforce_sorted=False
        )
        _, (ends, _) = self.spelling(packed)
        vectors = torch.cat([self.words(values[mask][:, 0]), torch.cat([*ends], 1)[place]], 1)
        x = vectors.new_zeros(*mask.shape, vectors.shape[1]).masked_scatter(mask[..., None], vectors)
        x = nn.functional.dropout(x, DROPOUT, self.training)
        packed_y: PackedSequence = self.layer(pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False))[
            0
        ]
        y, _ = pad_packed_sequence(packed_y, batch_first=True)
        return self._crf(self.output(nn.functional.dropout(y, DROPOUT, self.training)), tags, mask, lengths)

    def _crf(self, scores: Tensor, tags: Tensor, mask: Tensor, lengths: Tensor) -> Tensor:
        alpha = self.first + scores[:, 0]
        for t in range(1, scores.shape[1]):
            after = (alpha[:, :, None] + self.transitions).logsumexp(1) + scores[:, t]
            alpha = torch.where(mask[:, t, None], after, alpha)
        gold = (scores.gather(2, tags[..., None])[..., 0] * mask).sum(1)
        gold = gold + (self.transitions[tags[:, :-1], tags[:, 1:]] * mask[:, 1:]).sum(1)
        ends = tags.gather(1, lengths[:, None] - 1)[:, 0]
        return ((alpha + self.last).logsumexp(1) - gold - self.first[tags[:, 0]] - self.last[ends]).sum()


def sides(tokens: int, hidden: int) -> tuple[Callable[[], Tensor], Callable[[], Tensor], Model, Plain]:
    """The loss of one batch of about ``tokens`` words, on our side and on torch's, and the two networks."""
    draw = random.Random(0)
    words = ["".join(draw.choices("abcdefghijklmnopqrstuvwxyz", k=draw.randint(1, 12))) for _ in range(WORDS)]
    text = Text.fit(TextConfig(characters=CHARACTERS), [words])
    width = 100 + CHARACTERS
    trunk = TrunkConfig(bidirectional=True, hidden=hidden, embedding=width, input_dropout=DROPOUT, dropout=DROPOUT)
    labels = ["O", *(f"{letter}-{kind}" for kind in KINDS for letter in "BIES")]
    known = {"labels": labels, "scheme": "iob2"}
    model = Model(ModelConfig("text", "tags", text.settings, trunk, HEADS.get("tags").config()), text, known)
    assert isinstance(model.head, Tags) and model.head.crf is not None and text.spelling is not None
    plain = Plain(model, text.size, width, hidden, text.spelling.alphabet.size)
    lengths = [draw.randint(2, 45) for _ in range(max(1, tokens // 23))]
    x = text.encode_all([draw.choices(words, k=n) for n in lengths])
    tags = x.with_values(model.head.crf.best(x.with_values(torch.randn(len(x.values), len(labels)))))
    padded = x.to_padded(), tags.to_padded().long(), x.lengths

    def ours() -> Tensor:
        total: Tensor = model(x, tags, None)[0]
        return total

    return ours, lambda: plain(*padded), model, plain


def _training(module: nn.Module, loss: Callable[[], Tensor], tokens: int) -> Callable[[], float]:
    optimizer = torch.optim.AdamW(module.parameters(), fused=True)

    def run() -> float:
        start = time.perf_counter()
        for _ in range(STEPS):
            optimizer.zero_grad()
            (loss() / tokens).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return time.perf_counter() - start

    return run


def jobs(options: Options) -> list[Job]:
    return [
        Job(f"{tokens} tokens, H {hidden}", partial(measure, tokens, hidden, options))
        for tokens in ((1024,) if options.quick else (512, 1024, 2048))
        for hidden in options.hidden or (128,)
    ]


def measure(tokens: int, hidden: int, options: Options) -> list[Point]:
    ours, theirs, model, plain = sides(tokens, hidden)
    rounds = compare(_training(model, ours, tokens), {PEER: _training(plain, theirs, tokens)}, options.rounds_or(3, 9))
    speed = {side: f"{tokens * STEPS / min(seconds):,.0f}" for side, seconds in rounds.seconds.items()}
    place: dict[str, int | str] = {
        "tokens": tokens,
        "H": hidden,
        "tokens a second": f"{speed[PEER]}, {speed['recurra']}",
    }
    return [Point("tagging", place, rounds.ratio(PEER), peer=PEER)]


tagging = Benchmark(
    "training steps of a tagger with characters and a CRF, against the same in torch.nn",
    jobs,
    (Target("tagging", 1.5),),
)
