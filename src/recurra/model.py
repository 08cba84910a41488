"""A model: modality, trunk of recurrent layers, head."""

import json
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tomli_w
import torch
from safetensors import SafetensorError
from safetensors.torch import load_model, save_model
from torch import Tensor, nn

from recurra.cells import CELLS
from recurra.config import from_dict, setting, to_dict
from recurra.errors import InputError, MissingFileError, RunError
from recurra.files import atomic
from recurra.heads import HEADS, Meter
from recurra.modalities import MODALITIES, Modality, Tokens
from recurra.nn import Bidirectional, Dropout, Recurrent, Stack
from recurra.sequences import Ragged, State
from recurra.sequences.batches import Batch, Separate, Streams, Targets

if TYPE_CHECKING:
    import pandas as pd

# The version of the run folder: raised when an older Recurra could not read a newer folder.
FORMAT = 1

# Evaluation reads running text as this many parallel streams; each but the first begins with an empty memory.
EVALUATION_STREAMS = 16
EVALUATION_TOKENS = 4096

# Small data make small batches: an epoch of two steps learns nothing.
LEAST_BATCHES, LEAST_TOKENS = 20, 128


@dataclass(frozen=True)
class TrunkConfig:
    """Settings of the recurrent layers."""

    cell: str = setting("lstm", "the cell of every layer")
    layers: int = setting(1, "layers on top of each other")
    hidden: int = setting(256, "hidden units of each layer and direction")
    embedding: int = setting(0, "width of the input vectors; 0: as many as hidden units")
    projection: int = setting(0, "output units of a cell that projects its state; 0: half as many as hidden")
    gate_bias: dict[str, float] = field(
        default_factory=dict, metadata={"help": "what a gate's bias starts at, such as f = 1.0; else as the cell says"}
    )
    bidirectional: bool = setting(False, "read in both directions")
    merge: Literal["concat", "sum", "mean", "mul"] = setting("concat", "how the two directions are joined")
    input_dropout: float = setting(0.0, "share of the input vectors' elements dropped in training")
    dropout: float = setting(0.0, "share of each layer's output dropped in training")
    variational: bool = setting(False, "both drop the same elements at every step of a sequence")
    recurrent_dropout: float = setting(0.0, "share of what enters a recurrent product dropped, the same at every step")
    zoneout: float = setting(0.0, "how likely a unit keeps its state of the step before, in training")
    weight_drop: float = setting(0.0, "share of the recurrent matrices' elements dropped in training")
    clip_gradient: float = setting(0.0, "bound of each element of the gradient from step to step; 0: none")
    learned_state: bool = setting(False, "the initial state is learned; else it is zero")
    chrono: float = setting(0.0, "start the gates' biases for memories of about this many steps; 0: as the cell says")
    heads: int = setting(1, "parts of the units that do not hear each other, for cells that have heads")

    def __post_init__(self) -> None:
        for name, least in (("layers", 1), ("hidden", 1), ("heads", 1), ("embedding", 0), ("projection", 0)):
            if getattr(self, name) < least:
                raise InputError(f"trunk.{name}: expected at least {least}, got {getattr(self, name)}")
        for name in ("input_dropout", "dropout", "recurrent_dropout", "zoneout", "weight_drop"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"trunk.{name}: expected 0 up to but not 1, got {getattr(self, name)}")

    def build(self, width: int) -> Stack:
        """The layers over input vectors of this width."""

        cell = CELLS.get(self.cell)
        projection = (self.projection or max(1, self.hidden // 2)) if cell.projects else 0

        def recurrent(inputs: int, reverse: bool = False) -> Recurrent:
            return Recurrent(
                cell,
                inputs,
                self.hidden,
                projection_size=projection,
                reverse=reverse,
                gate_bias=self.gate_bias,
                heads=self.heads,
                chrono=self.chrono,
                learned_state=self.learned_state,
                recurrent_dropout=self.recurrent_dropout,
                zoneout=self.zoneout,
                weight_drop=self.weight_drop,
                clip_gradient=self.clip_gradient,
            )

        layers: list[Recurrent | Bidirectional] = []
        for _ in range(self.layers):
            layer: Recurrent | Bidirectional = recurrent(width)
            if self.bidirectional:
                layer = Bidirectional(recurrent(width), recurrent(width, reverse=True), merge=self.merge)
            layers.append(layer)
            width = layer.output_size
        return Stack(layers, dropout=self.dropout, variational=self.variational)


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
        width = config.trunk.embedding or config.trunk.hidden
        head = HEADS.get(config.output)
        if head.running and config.trunk.bidirectional:
            raise InputError("trunk.bidirectional: a model of the next token must not read it beforehand; use false")
        self.encoder = modality.encoder(width)
        variational = config.trunk.variational
        self.input_dropout = Dropout(config.trunk.input_dropout, variational=variational)
        self.trunk = config.trunk.build(width)
        self.output_dropout = Dropout(config.trunk.dropout, variational=variational)
        self.head = head(config.head, self.trunk.output_size, known, modality, self.encoder)

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
        """inputs: encoded sequences. Returns every step's features [N, F], the last ones [B, F], the final state."""
        x = self.input_dropout(inputs.with_values(self.encoder(inputs.values)))
        y, state = self.trunk(x, state)
        last = nn.functional.dropout(self.trunk.last(state), self.output_dropout.p, self.training)
        return self.output_dropout(y), last, state

    def forward(
        self, inputs: Ragged, targets: Targets | None, state: State | None = None
    ) -> tuple[Tensor, Tensor | float, State]:
        """One training batch. Returns the summed loss in nats, what to divide it by for a mean, the final state."""
        features, last, state = self.features(self.head.reads(inputs, targets), state)
        total, count = self.head.loss(features, last, targets)
        return total, count, state

    def batches(
        self, frame: "pd.DataFrame", where: str, *, tokens: int, truncation: int, shuffle: bool
    ) -> Separate | Streams:
        """Rows as batches of about ``tokens`` steps (of unaligned targets too): streams of ``truncation`` steps for a
        head that reads running text, unless ``truncation`` is 0, and rows apart otherwise. ``where`` names the data in
        errors."""
        rows = list(frame[self.modality.role])
        inputs = self.begun(rows) if self.head.running else self.modality.encode_all(rows)
        wanted = self.head.targets(frame, where)
        steps = inputs.lengths + wanted.lengths if self.head.unaligned else inputs.lengths
        if shuffle:
            tokens = min(tokens, max(LEAST_TOKENS, int(steps.sum()) // LEAST_BATCHES))
        if not self.head.running:
            return Separate(inputs, wanted, tokens, shuffle=shuffle, steps=steps)
        if truncation:
            return Streams(inputs.values, max(1, tokens // truncation), truncation, shuffle=shuffle)
        # Each step's target is the next token, and the last one's the end.
        targets = inputs.values.roll(-1).index_fill(0, inputs.offsets[1:] - 1, self.tokens.end_id)
        return Separate(inputs, inputs.with_values(targets), tokens, shuffle=shuffle)

    def begun(self, rows: Sequence[Any]) -> Ragged:
        """Rows as a head that predicts what comes next reads them: encoded, each after an end token."""
        end = torch.tensor([self.tokens.end_id])
        return Ragged.from_list([torch.cat([end, row]) for row in self.modality.encode_all(rows).unbind()])

    def running(self, rows: Sequence[Any]) -> Tensor:
        """All rows as one running sequence, [N + 1], with an end token at its start and between two rows."""
        return self.begun(rows).values

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """No dropout and no gradient inside the block."""
        before = self.training
        self.eval()
        try:
            with torch.no_grad():
                yield
        finally:
            self.train(before)

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
        features, last, state = self.features(inputs, state if batch.carry else None)
        meter.update(features, last, targets, batch.rows)
        return state

    def evaluation_batches(self, frame: "pd.DataFrame", where: str) -> Separate | Streams:
        """Rows as batches for ``measure``: in a fixed order, every step counted; documents apart if trained so."""
        apart = self.settings.get("training", {}).get("truncation") == 0
        steps = 0 if apart else EVALUATION_TOKENS // EVALUATION_STREAMS
        return self.batches(frame, where, tokens=EVALUATION_TOKENS, truncation=steps, shuffle=False)

    def predict(self, rows: Iterable[Any]) -> list[dict[str, Any]]:
        """One prediction for each raw row (a text, ...), as plain values. Raises InputError for what is not a row."""
        if isinstance(rows, str):
            raise InputError("predict: expected a list of rows, got one str; put it into a list")
        rows = list(rows)
        inputs = self.begun(rows) if self.head.running else self.modality.encode_all(rows)
        results: list[dict[str, Any]] = [{}] * len(rows)
        with self.evaluating():
            for batch in Separate(inputs, None, EVALUATION_TOKENS, shuffle=False).epoch(0, 0):
                features, last, _ = self.features(batch.inputs.to(self.device))
                assert batch.rows is not None
                for row, result in zip(batch.rows.tolist(), self.head.decode(features, last), strict=True):
                    results[row] = result
        return results

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
