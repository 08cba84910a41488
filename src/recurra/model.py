"""A model: modality, trunk of recurrent layers, head."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from recurra.config import from_dict, to_dict
from recurra.errors import DataError, InputError, MissingFileError, RunError
from recurra.files import atomic
from recurra.heads import HEADS, Meter
from recurra.heads.base import Score
from recurra.modalities import MODALITIES, Modality, Tokens
from recurra.nn import Dropout, activation_penalty, embedding_dropout, slowness_penalty, stacked
from recurra.nn.attribution import integrated_gradients
from recurra.sequences import Ragged, State
from recurra.sequences.batches import Batch, Separate, Sequences, Streams, Targets
from recurra.trunk import TrunkConfig

if TYPE_CHECKING:
    import pandas as pd

# The version of the run folder: raised when an older Recurra could not read a newer folder.
FORMAT = 1

# Evaluation reads running text as this many parallel streams; each but the first begins with an empty memory.
EVALUATION_STREAMS = 16
EVALUATION_TOKENS = 4096

# Small data make small batches: an epoch of two steps learns nothing. Nor does a batch of one row.
LEAST_BATCHES, LEAST_TOKENS, LEAST_ROWS = 20, 128, 8


@dataclass(frozen=True)
class ModelConfig:
    """What a model is made of. input, output: names of a modality and a head; their settings beside them."""

    input: str
    output: str
    modality: Any
    trunk: TrunkConfig
    head: Any

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> "ModelConfig":
        """From config.toml's values; other sections are left to others. Raises UnknownNameError."""
        input, output = values["input"], values["output"]
        return cls(
            input,
            output,
            from_dict(MODALITIES.get(input).config, values.get("modality", {}), "modality"),
            from_dict(TrunkConfig, values.get("trunk", {}), "trunk"),
            from_dict(HEADS.get(output).config, values.get("head", {}), "head"),
        )


class Model(nn.Module):
    """Modality -> trunk -> head, with everything that is needed to use it on raw rows.

    config: what it is made of. modality: fitted to the training data. known: what the head learnt from it
    (its labels). settings: the whole run's configuration, saved beside the weights.
    """

    def __init__(
        self, config: ModelConfig, modality: Modality, known: dict[str, Any], settings: dict[str, Any] | None = None
    ):
        super().__init__()
        self.config, self.modality, self.known = config, modality, known
        self.settings = settings or {}
        if config.trunk.embedding_dropout and not isinstance(modality, Tokens):
            raise InputError(f"trunk.embedding_dropout: expected 0, as {config.input} has no vocabulary")
        width = config.trunk.embedding or modality.natural_width(config.trunk.each[0][1])
        head = HEADS.get(config.output)
        head.check(config.head, config.trunk)
        if head.aligned and modality.moves:
            raise InputError(f"modality: settings that move steps do not go with head {config.output}, a target a step")
        self.encoder = modality.encoder(width)
        variational = config.trunk.variational
        self.input_dropout = Dropout(config.trunk.input_dropout, variational=variational)
        self.trunk = config.trunk.build(width)
        own = config.trunk.output_dropout
        self.output_dropout = Dropout(config.trunk.dropout if own == -1 else own, variational=variational)
        self.head = head(config.head, self.trunk.output_size, known, modality, self.encoder)
        if config.trunk.stack > 1 and self.head.pool is None:
            got = f"head {config.output}, which needs a step for each that is read"
            raise InputError(f"trunk.stack: expected 1 with {got}, got {config.trunk.stack}")

    @property
    def tokens(self) -> Tokens:
        """The modality, where its steps are tokens. Raises InputError where they are not."""
        if not isinstance(self.modality, Tokens):
            raise InputError(f"expected a modality of tokens, got {self.config.input}")
        return self.modality

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    @property
    def parameter_count(self) -> int:
        return sum(p.numel() for p in self.parameters())

    def features(self, inputs: Ragged, state: State | None = None) -> tuple[Ragged, Tensor, State]:
        """inputs: encoded sequences. Returns what heads read, each step's features [N, F] and one vector of each
        sequence [B, F], pooled or the last one, and the final state. Where sequences can be read from their other end
        as well, and this is no training, features are the mean of both readings.
        """
        outputs, last, state = self._outputs(inputs, state)
        features, last = self._pooled(outputs, last)
        mirrored = None if self.training else self.modality.mirrored(inputs)
        if mirrored is None:
            return features, last, state
        others, other_last = self._pooled(*self._outputs(mirrored, None)[:2])
        mean = (features.values + others.reversed().values) / 2
        return features.with_values(mean), (last + other_last) / 2, state

    def _pooled(self, outputs: Ragged, last: Tensor) -> tuple[Ragged, Tensor]:
        features = self.output_dropout(outputs)
        return features, last if self.head.pool is None else self.head.pool(features, last)

    def _drawn(self, inputs: Ragged) -> tuple[Ragged, Tensor | None]:
        """A training batch as it might have come just as well, and which sequences are now read backwards, [B]."""
        inputs = self.modality.varied(inputs)
        mirrored = self.modality.mirrored(inputs)
        if mirrored is None:
            return inputs, None
        back = torch.rand(len(inputs), device=inputs.values.device) < 0.5
        return _choice(back, mirrored, inputs), back

    def _outputs(self, inputs: Ragged, state: State | None) -> tuple[Ragged, Tensor, State]:
        """As ``features``, but every step's as the trunk gives them."""
        trunk, x = self.config.trunk, self._vectors(inputs.values)
        if trunk.embedding_dropout and self.training:
            x = embedding_dropout(x, inputs.values, self.tokens.size, trunk.embedding_dropout)
        return self._read(inputs.with_values(x), state)

    def _vectors(self, values: Tensor) -> Tensor:
        """Encoded steps, [N] or [N, I], as the trunk reads them."""
        if values.is_floating_point():  # which a modality gives in float32, whatever the weights are in
            values = values.to(next(self.parameters()).dtype)
        return self.encoder(values)  # type: ignore[no-any-return]

    def _read(self, vectors: Ragged, state: State | None) -> tuple[Ragged, Tensor, State]:
        """As ``_outputs``, from what the encoder gives."""
        y, state = self.trunk(stacked(self.input_dropout(vectors), self.config.trunk.stack), state)
        last = nn.functional.dropout(self.trunk.last(state), self.output_dropout.p, self.training)
        return y, last, state

    def _penalty(self, outputs: Ragged, features: Ragged) -> Tensor | float:
        """What a training loss adds to the head's mean loss. outputs: of the trunk. features: as the head has them."""
        trunk = self.config.trunk
        size = trunk.activation_penalty and trunk.activation_penalty * activation_penalty(features)
        return size + (trunk.slowness_penalty and trunk.slowness_penalty * slowness_penalty(outputs))

    def forward(
        self, inputs: Ragged, targets: Targets | None, state: State | None = None
    ) -> tuple[Tensor, Tensor | float, State]:
        """One training batch. Returns the summed loss in nats, what to divide it by for a mean, the final state."""
        inputs = self.head.reads(inputs, targets)
        inputs, back = self._drawn(inputs) if self.training else (inputs, None)
        outputs, last, state = self._outputs(inputs, state)
        if back is not None:  # in the order of the targets again
            outputs = _choice(back, outputs.reversed(), outputs)
        features, last = self._pooled(outputs, last)
        total, count = self.head.loss(features, last, targets)
        return total + count * self._penalty(outputs, features), count, state

    def batches(
        self, frame: "pd.DataFrame", where: str, *, tokens: int, truncation: int, shuffle: bool, spread: float = 0.0
    ) -> Separate | Streams:
        """Rows as batches of about ``tokens`` steps, those of unaligned targets too: streams of ``truncation`` steps
        for a head that reads running text, unless ``truncation`` is 0, and rows apart otherwise. ``where`` names the
        data in errors. spread: of the streams' drawn truncation."""
        rows = list(frame[self.modality.role])
        if not self.head.running:
            sequences, wanted = self.sequences(rows), self.head.targets(frame, where)
            steps = sequences.lengths + wanted.lengths if self.head.unaligned else sequences.lengths
            if self.head.aligned:
                self._check_aligned(sequences, wanted, frame, where)
            tokens = _fewer(tokens, steps) if shuffle else tokens
            return Separate(sequences, sequences if wanted is None else wanted, tokens, shuffle=shuffle, steps=steps)
        inputs = self.encoded(rows)
        tokens = _fewer(tokens, inputs.lengths, rows=0) if shuffle else tokens
        if truncation:
            streams = max(1, tokens // truncation)
            return Streams(inputs.values, streams, truncation, shuffle=shuffle, spread=spread)
        # Each step's target is the next token, and the last one's the end.
        targets = inputs.values.roll(-1).index_fill(0, inputs.offsets[1:] - 1, self.tokens.end_id)
        return Separate(inputs, inputs.with_values(targets), tokens, shuffle=shuffle)

    def _check_aligned(self, inputs: Sequences, targets: Targets | None, frame: "pd.DataFrame", where: str) -> None:
        """Raises DataError, naming the row, where a row has not as many targets as steps."""
        assert isinstance(targets, Ragged)
        wrong = (inputs.lengths != targets.lengths).nonzero()
        if len(wrong):
            row = int(wrong[0])
            steps, given = int(inputs.lengths[row]), int(targets.lengths[row])
            hint = " (a text that is already divided: --set modality.unit=space; modality.max_length must not cut it)"
            raise DataError(
                f"{where}, row {frame.index[row]}: {steps} steps of {self.modality.role}, but {given} "
                f"{', '.join(self.head.roles)}; each step needs one{hint if isinstance(self.modality, Tokens) else ''}"
            )

    def encoded(self, rows: Sequence[Any]) -> Ragged:
        """Rows as the head reads them: encoded, each between end tokens where it wants them."""
        found, head = self.modality.encode_all(rows), self.head
        if not (head.begun or head.ended):
            return found
        end = torch.tensor([self.tokens.end_id])
        before, after = [end] * head.begun, [end] * head.ended
        return Ragged.from_list([torch.cat([*before, row, *after]) for row in found.unbind()])

    def sequences(self, rows: Sequence[Any]) -> Sequences:
        """As ``encoded``, but what stands for itself may be encoded when a batch asks for it."""
        return self.encoded(rows) if self.head.begun or self.head.ended else self.modality.sequences(rows)

    def running(self, rows: Sequence[Any]) -> Tensor:
        """All rows as one running sequence, [N + 1], with an end token at its start and between two rows."""
        return self.encoded(rows).values

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """No dropout and no gradient inside the block."""
        before = self.training
        if before:  # to go through all modules takes longer than a step of a live sequence
            self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            if before:
                self.train()

    def measure(self, batches: Separate | Streams, meter: Meter | None = None) -> Meter:
        """The head's metrics over these batches. meter: to count with; None: a new one of the head's."""
        meter = meter or self.head.meter()
        with self.evaluating():
            state = None
            for batch in batches.epoch(0, 0):
                state = self._measure(meter, batch, state)
        return meter

    def _measure(self, meter: Meter, batch: Batch, state: State | None) -> State:
        targets = None if batch.targets is None else batch.targets.to(self.device)
        inputs = self.head.reads(batch.inputs.to(self.device), targets)
        features, last, state = self.head.through(self.features, inputs, state if batch.carry else None)
        meter.update(features, last, targets, batch.rows)
        return state

    def evaluation_batches(self, frame: "pd.DataFrame", where: str) -> Separate | Streams:
        """Rows as batches for ``measure``: in a fixed order, every step counted; documents apart if trained so."""
        apart = self.settings.get("training", {}).get("truncation") == 0
        steps = 0 if apart else EVALUATION_TOKENS // EVALUATION_STREAMS
        return self.batches(frame, where, tokens=EVALUATION_TOKENS, truncation=steps, shuffle=False)

    def outputs(self, rows: Sequence[Any]) -> Iterator[tuple[Tensor, Ragged, Ragged, Tensor]]:
        """Raw rows in batches: which rows these are, [B], encoded, every step's features, the last ones, [B, F].

        To be used inside ``evaluating``.
        """
        for batch in Separate(self.sequences(rows), None, EVALUATION_TOKENS, shuffle=False).epoch(0, 0):
            given = batch.inputs.to(self.device)
            features, last, _ = self.head.through(self.features, given, None)
            assert batch.rows is not None
            yield batch.rows, given, features, last

    def predict(self, rows: Iterable[Any], *, explain: bool = False) -> list[dict[str, Any]]:
        """One prediction for each raw row (a text, ...), as plain values. Raises InputError for what is not a row.

        explain: each with what it rests on, such as each step's contribution; InputError for heads that cannot say.
        """
        if isinstance(rows, str):
            raise InputError("predict: expected a list of rows, got one str; put it into a list")
        rows = list(rows)
        results: list[dict[str, Any]] = [{}] * len(rows)
        with self.evaluating():
            for which, given, features, last in self.outputs(rows):
                if explain:
                    found = self.head.explain(given, features, last, partial(self._contributions, given))
                else:
                    found = self.head.judge(given, features, last)
                for row, result in zip(which.tolist(), found, strict=True):
                    results[row] = result
        if isinstance(self.modality, Tokens):
            tokens = self.modality.tokens
            return [self.head.said(partial(tokens, row), result) for row, result in zip(rows, results, strict=True)]
        placed: list[dict[str, Any]] = self.head.placed(rows, results)
        return placed

    def _contributions(self, inputs: Ragged, score: Score) -> list[dict[str, Any]]:
        """What each step adds to a score of its sequence, compared with a sequence as long that says nothing.

        That is one of zeros: vectors of no token, and of measured steps the mean of the training data.
        """
        values, measured = inputs.values, inputs.values.is_floating_point()
        given = inputs.with_values(values.to(next(self.parameters()).dtype) if measured else self._vectors(values))

        def reached(x: Ragged, rows: Tensor) -> Tensor:
            features, last = self.features(x)[:2] if measured else self._pooled(*self._read(x, None)[:2])
            return score(features, last, rows)

        found = integrated_gradients(reached, given, torch.zeros_like(given.values))
        rows = zip(found.score.tolist(), found.baseline.tolist(), found.contributions.unbind(), strict=True)
        return [{"score": score, "baseline": start, "contributions": added.tolist()} for score, start, added in rows]

    def save(self, folder: str | Path) -> None:
        """Writes config.toml, vocab.json and model.safetensors, each at once or not at all."""
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.save_description(folder)
        self.save_weights(folder)

    def save_description(self, folder: Path) -> None:
        """Everything but the weights."""
        config = {"format": FORMAT, **self.settings, **to_dict(self.config)}
        with atomic(folder / "config.toml") as path:
            path.write_text(tomli_w.dumps(config), encoding="utf-8")
        with atomic(folder / "vocab.json") as path:
            vocabulary = {"modality": self.modality.to_json(), "head": self.known}
            path.write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")

    def save_weights(self, folder: Path) -> None:
        with atomic(folder / "model.safetensors") as path:
            save_model(self, str(path))

    def load_weights(self, folder: Path) -> None:
        """Raises RunError where the weights are missing or do not fit."""
        file = folder / "model.safetensors"
        try:
            load_model(self, str(file))
        except (OSError, SafetensorError, RuntimeError) as error:
            raise RunError(f"{file}: the weights do not fit the configuration ({str(error).splitlines()[0]})") from None

    @classmethod
    def describe(cls, folder: Path) -> "Model":
        """The model of a run folder with fresh weights. Raises MissingFileError or RunError."""
        settings = read_config(folder)
        config = ModelConfig.from_dict(settings)
        try:
            vocabulary = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
            modality = MODALITIES.get(config.input).from_json(vocabulary["modality"])
            return cls(config, modality, vocabulary["head"], settings)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{folder / 'vocab.json'}: missing or damaged ({error})") from error

    @classmethod
    def load(cls, folder: str | Path) -> "Model":
        """The model of a run folder, ready to use. Raises MissingFileError or RunError."""
        model = cls.describe(Path(folder))
        model.load_weights(Path(folder))
        return model.eval()


def _choice(which: Tensor, one: Ragged, other: Ragged) -> Ragged:
    """The sequences of ``one`` where ``which`` [B] says so, and else those of ``other``, which are as long."""
    return one.with_values(torch.where(which[one.layout.rows][:, None], one.values, other.values))


def _fewer(tokens: int, steps: Tensor, rows: int = LEAST_ROWS) -> int:
    """Steps of a training batch: so many, or fewer where the data are small, but of so many usual rows at least."""
    total = int(steps.sum())
    return min(tokens, max(LEAST_TOKENS, rows * total // max(1, len(steps)), total // LEAST_BATCHES))


def read_config(folder: Path) -> dict[str, Any]:
    """A run folder's config.toml. Raises MissingFileError or RunError, saying what the folder is."""
    if not folder.exists():
        raise MissingFileError(f"{folder}: no such run folder; `recurra train ... --out {folder}` makes one")
    file = folder / "config.toml"
    if not file.is_file():
        raise RunError(f"{folder}: not a run folder (it has no config.toml)")
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RunError(f"{file}: not readable ({error})") from error
    version = values.get("format", 0)
    if version > FORMAT:
        raise RunError(
            f"{folder}: made by a newer Recurra (format {version}; this one reads {FORMAT}); upgrade recurra"
        )
    if not {"input", "output"} <= values.keys():
        raise RunError(f"{file}: not a run's configuration (it names no input and output)")
    return values
