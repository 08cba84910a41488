"""A text of its own length, written unit by unit: the decoder of a translation."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from recurra.cells import CELLS
from recurra.config import setting
from recurra.errors import InputError
from recurra.heads._beam import Written, search
from recurra.heads.base import Contributions, Head, Meter, Objective
from recurra.modalities import Modality
from recurra.modalities.text import Text as Units
from recurra.nn.attention import Score
from recurra.nn.cross_entropy import linear_cross_entropy
from recurra.nn.decoder import Decoder, Memories
from recurra.nn.dropout import Dropout
from recurra.sequences import Ragged, State
from recurra.sequences.layout import Layout

if TYPE_CHECKING:
    import pandas as pd

# What a report shows: so many rows of the data, and the attention of so many, where they are not too long to be seen.
MOST_EXAMPLES, MOST_DRAWN, LONGEST_DRAWN = 12, 4, 40


@dataclass(frozen=True)
class TextConfig:
    """Settings of the head ``text``."""

    cell: str = setting("lstm", "the cell of the decoder's layers")
    layers: int = setting(1, "layers of the decoder, each of which attends")
    hidden: int = setting(256, "hidden units of each layer of the decoder")
    attention: Score = setting("multiplicative", "how a query is compared with the input's steps")
    feed: bool = setting(False, "input feeding: what was attended to is an input of the next step; slower to train")
    tied: bool = setting(True, "one table of vectors for reading, for the decoder's input and for its output")
    input_dropout: float = setting(0.0, "share of the decoder's input vectors' elements dropped in training")
    dropout: float = setting(0.3, "share of each of the decoder's layers' output dropped in training")
    label_smoothing: float = setting(0.1, "share of each target spread over all units (Szegedy 2016)")
    beam: int = setting(5, "sequences that beam search keeps at each step; 1: greedy")
    length_penalty: float = setting(1.0, "0: none; more: longer texts (Wu 2016)")
    longest: int = setting(100, "units an output may have beyond as many as its input has")

    def __post_init__(self) -> None:
        for name in ("layers", "hidden", "beam", "longest"):
            if getattr(self, name) < 1:
                raise InputError(f"head.{name}: expected at least 1, got {getattr(self, name)}")
        for name in ("input_dropout", "dropout", "label_smoothing"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"head.{name}: expected 0 up to but not 1, got {getattr(self, name)}")
        if self.length_penalty < 0:
            raise InputError(f"head.length_penalty: expected 0 or more, got {self.length_penalty}")


class Text(Head):
    """Writes a text while it attends to the input's steps (Luong et al. 2015, https://arxiv.org/abs/1508.04025).

    Input and output share their units (Sennrich et al. 2016) and with ``tied`` their vectors, which the output's
    weights are too (Press & Wolf 2017). The unit after the last one is the end.
    """

    config = TextConfig
    roles = ("target",)
    shared = ("target",)
    unaligned = True
    objective = Objective("bleu", maximise=True, tie="nats_per_token")
    modality: Units

    def __init__(
        self, config: TextConfig, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module
    ) -> None:
        super().__init__(config, width, known, modality, encoder)
        if not (isinstance(modality, Units) and isinstance(encoder, nn.Embedding)):
            raise InputError(f"head text: expected the modality text, got {type(modality).__name__.lower()}")
        if modality.settings.unit not in ("bpe", "char"):
            raise InputError(
                f"modality.unit: expected bpe or char, whose units make a text again, got {modality.settings.unit}"
            )
        self.settings, self.modality = config, modality
        inner = encoder.embedding_dim
        self.input = encoder if config.tied else modality.encoder(inner)
        self.input_dropout = Dropout(config.input_dropout)
        self.decoder = Decoder(
            CELLS.get(config.cell),
            inner,
            config.hidden,
            width,
            inner,
            layers=config.layers,
            score=config.attention,
            feed=config.feed,
            dropout=config.dropout,
        )
        self.output = nn.Linear(inner, encoder.num_embeddings)
        nn.init.zeros_(self.output.bias)
        if config.tied:
            self.output.weight = encoder.weight

    @classmethod
    def learn(cls, config: TextConfig, frame: "pd.DataFrame") -> dict[str, Any]:
        return {}

    def targets(self, frame: "pd.DataFrame", where: str) -> Ragged:
        """Each row's units, then the end."""
        return self._ended([row.tolist() for row in self.modality.encode_all(list(frame["target"])).unbind()])

    def _ended(self, rows: list[list[int]]) -> Ragged:
        lengths = torch.tensor([len(row) + 1 for row in rows], dtype=torch.int64)
        values = torch.tensor([unit for row in rows for unit in (*row, self.modality.end_id)], dtype=torch.int64)
        return Ragged.of_layout(values, Layout.of_lengths(lengths))

    def _inputs(self, targets: Ragged) -> Ragged:
        """What the decoder reads to write these: each step's is the unit before, and the first one's the end."""
        before = targets.values.roll(1).index_fill(0, targets.offsets[:-1], self.modality.end_id)
        read: Ragged = self.input_dropout(targets.with_values(self.input(before)))
        return read

    def loss(self, features: Ragged, last: Tensor, targets: Ragged) -> tuple[Tensor, float]:
        return self.nats(features, last, targets, self.settings.label_smoothing), float(len(targets.values))

    def nats(self, features: Ragged, last: Tensor, targets: Ragged, smoothing: float = 0.0) -> Tensor:
        """The summed loss over all units and ends of the targets."""
        y, _ = self.decoder(self._inputs(targets), self.decoder.read(features), self.decoder.start(last))
        return linear_cross_entropy(y.values, self.output.weight, self.output.bias, targets.values, smoothing)

    def write(self, features: Ragged, last: Tensor, beam: int) -> list[Written]:
        """The best text found for each sequence. features: [N, F]. last: [B, F]."""
        read = _Reader(self.decoder.read(features))

        def step(tokens: Tensor, state: State, owners: Tensor) -> tuple[Tensor, State]:
            memories, readers = read(owners)
            layout = Layout.of_equal(len(tokens), 1, tokens.device)
            y, state = self.decoder(Ragged.of_layout(self.input(tokens), layout), memories, state, readers)
            return self.output(y.values).log_softmax(-1), state

        limits = features.lengths + self.settings.longest
        state, alpha = self.decoder.start(last), self.settings.length_penalty
        return search(step, state, self.modality.end_id, limits, beam=beam, alpha=alpha)

    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """The text, and its log-probability in nats divided by the length penalty."""
        return [self._said(one) for one in self.write(features, last, self.settings.beam)]

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, with the units read, the units written, and for each of these every read one's share."""
        written = self.write(features, last, self.settings.beam)
        rows = zip(written, inputs.unbind(), self.attention(features, last, written), strict=True)
        return [
            self._said(one)
            | {"read": self._units(read.tolist()), "units": self._units(one.tokens), "attention": shares.tolist()}
            for one, read, shares in rows
        ]

    def attention(self, features: Ragged, last: Tensor, written: list[Written]) -> list[Tensor]:
        """[T, M] of each sequence: every step's share for each unit written, the mean of the decoder's layers."""
        targets = self._ended([one.tokens for one in written]).to(features.values.device)
        shares = self.decoder.weights(self._inputs(targets), self.decoder.read(features), self.decoder.start(last))
        return [share[:-1] for share in shares]

    def _said(self, one: Written) -> dict[str, Any]:
        return {"text": self.modality.decode(one.tokens), "score": one.score}

    def _units(self, tokens: list[int]) -> list[str]:
        return [self.modality.decode([token]) for token in tokens]

    def meter(self) -> Meter:
        return _TextMeter(self, self.settings.beam)

    def validation_meter(self) -> Meter:
        """Writes greedily."""
        return _TextMeter(self, 1)


class _Reader:
    """The memory of those sequences that rows are still written for, copied only when one has ended."""

    def __init__(self, memories: Memories):
        self.memories = memories
        self.left = torch.arange(len(memories[0]))

    def __call__(self, owners: Tensor) -> tuple[Memories, Layout]:
        """owners: [R], each row's sequence, in rising order. Returns what they read, and how many read each."""
        left, counts = torch.unique_consecutive(owners, return_counts=True)
        if len(left) < len(self.left):
            rows = torch.searchsorted(self.left.to(left.device), left)
            self.memories, self.left = tuple(memory[rows] for memory in self.memories), left
        return self.memories, Layout.of_lengths(counts)


class _TextMeter(Meter):
    def __init__(self, head: Text, beam: int):
        self.head, self.beam, self.nats, self.units = head, beam, 0.0, 0
        self.written: dict[int, str] = {}
        self.wanted: dict[int, str] = {}
        self.lengths: dict[int, int] = {}  # of what was read or what was written, the longer

    def update(self, features: Ragged, last: Tensor, targets: Ragged, rows: Tensor | None) -> None:
        head = self.head
        numbers = range(len(self.wanted), len(self.wanted) + len(targets)) if rows is None else rows.tolist()
        with torch.no_grad():
            self.nats += head.nats(features, last, targets).item()
            written = head.write(features, last, self.beam)
            self.units += len(targets.values)
            for i, row in enumerate(numbers):
                self.written[row] = head.modality.decode(written[i].tokens)
                self.wanted[row] = head.modality.decode(targets[i][:-1])
                self.lengths[row] = max(int(features.lengths[i]), len(written[i].tokens))

    def metrics(self) -> dict[str, float]:
        from sacrebleu.metrics.bleu import BLEU

        nats = self.nats / self.units
        written, wanted = ([texts[row] for row in sorted(texts)] for texts in (self.written, self.wanted))
        same = sum(a == b for a, b in zip(written, wanted, strict=True))
        return {
            "bleu": BLEU(lowercase=True, tokenize="13a").corpus_score(written, [wanted]).score,
            "exact": same / len(wanted),
            "nats_per_token": nats,
            "perplexity": math.exp(nats) if nats < 700 else math.inf,
        }

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        texts = list(frame[self.head.modality.role])
        every = max(1, len(texts) // MOST_EXAMPLES)
        examples = [
            {"text": texts[row], "wanted": self.wanted[row], "written": self.written[row]}
            for row in range(0, len(texts), every)[:MOST_EXAMPLES]
        ]
        return {"examples": examples}

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """The first rows, without those that are too long to be drawn."""
        return {row: self.wanted[row] for row in range(len(frame))[:MOST_DRAWN] if self.lengths[row] <= LONGEST_DRAWN}
