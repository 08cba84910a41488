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

from recurra.cells import CELLS, Cell
from recurra.config import from_dict, setting, to_dict
from recurra.errors import DataError, InputError, MissingFileError, RunError, UnknownNameError
from recurra.files import atomic
from recurra.heads import HEADS, Meter
from recurra.modalities import MODALITIES, Modality, Tokens
from recurra.nn import (
    Bidirectional,
    Dropout,
    Recurrent,
    Stack,
    activation_penalty,
    embedding_dropout,
    slowness_penalty,
)
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

    cell: str | tuple[str, ...] = setting("lstm", "the cell of all layers, or of each, the lowest first")
    layers: int = setting(1, "layers on top of each other; a list of cells or of hidden units says it itself")
    hidden: int | tuple[int, ...] = setting(256, "hidden units of each layer and direction, one for all or a list")
    embedding: int = setting(
        0, "width of the input vectors; 0: of tokens as many as the lowest layer's units, of series as many as channels"
    )
    projection: int = setting(0, "output units of a cell that projects its state; 0: half as many as hidden")
    gate_bias: dict[str, float] = field(
        default_factory=dict, metadata={"help": "what a gate's bias starts at, such as f = 1.0; else as the cell says"}
    )
    residual: bool = setting(False, "a layer above the first that is as wide as its input adds it to its output")
    bidirectional: bool = setting(False, "read in both directions")
    merge: Literal["concat", "sum", "mean", "mul"] = setting("concat", "how the two directions are joined")
    input_dropout: float = setting(0.0, "share of the input vectors' elements dropped in training")
    embedding_dropout: float = setting(0.0, "share of the vocabulary whose vectors are dropped, anew each batch")
    dropout: float = setting(0.0, "share of each layer's output dropped in training")
    output_dropout: float = setting(-1.0, "share of the last layer's output dropped in training; -1: as dropout")
    variational: bool = setting(False, "all of them drop the same elements at every step of a sequence")
    recurrent_dropout: float = setting(0.0, "share of what enters a recurrent product dropped, the same at every step")
    zoneout: float = setting(0.0, "how likely a unit keeps its state of the step before, in training")
    weight_drop: float = setting(0.0, "share of the recurrent matrices' elements dropped in training")
    activation_penalty: float = setting(0.0, "weight of the mean square of the outputs in the loss (Merity 2017)")
    slowness_penalty: float = setting(0.0, "weight of the mean square of the outputs' change from step to step")
    clip_gradient: float = setting(0.0, "bound of each element of the gradient from step to step; 0: none")
    learned_state: bool = setting(False, "the initial state is learned; else it is zero")
    chrono: float = setting(0.0, "start the gates' biases for memories of about this many steps; 0: as the cell says")
    heads: int = setting(1, "parts of the units that do not hear each other, for cells that have heads")

    def __post_init__(self) -> None:
        for name, least in (("layers", 1), ("hidden", 1), ("heads", 1), ("embedding", 0), ("projection", 0)):
            value = getattr(self, name)
            if value == () or min(value if isinstance(value, tuple) else [value]) < least:
                raise InputError(f"trunk.{name}: expected at least {least}, got {value}")
        counts = {len(value) for value in (self.cell, self.hidden) if isinstance(value, tuple)}
        if counts and len(counts | {self.layers} - {1}) > 1:
            got = f"cell {self.cell}, hidden {self.hidden}, layers {self.layers}"
            raise InputError(f"trunk: expected one entry for each layer in a list, got {got}")
        if self.output_dropout != -1 and not 0 <= self.output_dropout < 1:
            raise InputError(f"trunk.output_dropout: expected 0 up to but not 1, or -1, got {self.output_dropout}")
        for name in ("activation_penalty", "slowness_penalty"):
            if getattr(self, name) < 0:
                raise InputError(f"trunk.{name}: expected 0 or more, got {getattr(self, name)}")
        for name in ("input_dropout", "embedding_dropout", "dropout", "recurrent_dropout", "zoneout", "weight_drop"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"trunk.{name}: expected 0 up to but not 1, got {getattr(self, name)}")

    @property
    def each(self) -> list[tuple[Cell, int]]:
        """Cell and hidden units of every layer, the lowest first. Raises UnknownNameError."""
        count = next((len(value) for value in (self.cell, self.hidden) if isinstance(value, tuple)), self.layers)
        cells = self.cell if isinstance(self.cell, tuple) else [self.cell] * count
        hidden = self.hidden if isinstance(self.hidden, tuple) else [self.hidden] * count
        return list(zip(map(CELLS.get, cells), hidden, strict=True))

    def build(self, width: int) -> Stack:
        """The layers over input vectors of this width."""
        gates = {gate: None for cell, _ in self.each for gate in cell.gates}
        for gate in self.gate_bias:
            if gate not in gates:
                raise UnknownNameError(f"gate of {', '.join(cell.name for cell, _ in self.each)}", gate, gates)

        def recurrent(cell: Cell, hidden: int, reverse: bool = False) -> Recurrent:
            return Recurrent(
                cell,
                width,
                hidden,
                projection_size=(self.projection or max(1, hidden // 2)) if cell.projects else 0,
                reverse=reverse,
                gate_bias={gate: bias for gate, bias in self.gate_bias.items() if gate in cell.gates},
                heads=self.heads,
                chrono=self.chrono,
                learned_state=self.learned_state,
                recurrent_dropout=self.recurrent_dropout,
                zoneout=self.zoneout,
                weight_drop=self.weight_drop,
                clip_gradient=self.clip_gradient,
            )

        layers: list[Recurrent | Bidirectional] = []
        for cell, hidden in self.each:
            layer: Recurrent | Bidirectional = recurrent(cell, hidden)
            if self.bidirectional:
                layer = Bidirectional(recurrent(cell, hidden), recurrent(cell, hidden, reverse=True), merge=self.merge)
            layers.append(layer)
            width = layer.output_size
        return Stack(layers, dropout=self.dropout, variational=self.variational, residual=self.residual)


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
        if head.running and config.trunk.bidirectional:
            raise InputError("trunk.bidirectional: a model of the next token must not read it beforehand; use false")
        self.encoder = modality.encoder(width)
        variational = config.trunk.variational
        self.input_dropout = Dropout(config.trunk.input_dropout, variational=variational)
        self.trunk = config.trunk.build(width)
        own = config.trunk.output_dropout
        self.output_dropout = Dropout(config.trunk.dropout if own == -1 else own, variational=variational)
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
        y, last, state = self._outputs(inputs, state)
        return self.output_dropout(y), last, state

    def _outputs(self, inputs: Ragged, state: State | None) -> tuple[Ragged, Tensor, State]:
        """As ``features``, but every step's as the trunk gives them."""
        values, trunk = inputs.values, self.config.trunk
        if values.is_floating_point():  # which a modality gives in float32, whatever the weights are in
            values = values.to(next(self.parameters()).dtype)
        x = self.encoder(values)
        if trunk.embedding_dropout and self.training:
            x = embedding_dropout(x, inputs.values, self.tokens.size, trunk.embedding_dropout)
        y, state = self.trunk(self.input_dropout(inputs.with_values(x)), state)
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
        outputs, last, state = self._outputs(self.head.reads(inputs, targets), state)
        features = self.output_dropout(outputs)
        total, count = self.head.loss(features, last, targets)
        return total + count * self._penalty(outputs, features), count, state

    def batches(
        self, frame: "pd.DataFrame", where: str, *, tokens: int, truncation: int, shuffle: bool, spread: float = 0.0
    ) -> Separate | Streams:
        """Rows as batches of about ``tokens`` steps, those of unaligned targets too: streams of ``truncation`` steps
        for a head that reads running text, unless ``truncation`` is 0, and rows apart otherwise. ``where`` names the
        data in errors. spread: of the streams' drawn truncation."""
        rows = list(frame[self.modality.role])
        inputs = self.begun(rows) if self.head.running else self.modality.encode_all(rows)
        wanted = self.head.targets(frame, where)
        steps = inputs.lengths + wanted.lengths if self.head.unaligned else inputs.lengths
        if shuffle:
            tokens = min(tokens, max(LEAST_TOKENS, int(steps.sum()) // LEAST_BATCHES))
        if not self.head.running:
            if self.head.aligned:
                self._check_aligned(inputs, wanted, frame, where)
            return Separate(inputs, wanted, tokens, shuffle=shuffle, steps=steps)
        if truncation:
            streams = max(1, tokens // truncation)
            return Streams(inputs.values, streams, truncation, shuffle=shuffle, spread=spread)
        # Each step's target is the next token, and the last one's the end.
        targets = inputs.values.roll(-1).index_fill(0, inputs.offsets[1:] - 1, self.tokens.end_id)
        return Separate(inputs, inputs.with_values(targets), tokens, shuffle=shuffle)

    def _check_aligned(
        self, inputs: Ragged, targets: Tensor | Ragged | None, frame: "pd.DataFrame", where: str
    ) -> None:
        """Raises DataError, naming the row, where a row has not as many targets as steps."""
        assert isinstance(targets, Ragged)
        wrong = (inputs.lengths != targets.lengths).nonzero()
        if len(wrong):
            row = int(wrong[0])
            steps, given = int(inputs.lengths[row]), int(targets.lengths[row])
            raise DataError(
                f"{where}, row {frame.index[row]}: {steps} steps of {self.modality.role}, but {given} "
                f"{', '.join(self.head.roles)}; each step needs one (a text that is already divided: "
                "--set modality.unit=space; modality.max_length must not cut it)"
            )

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

    def predict(self, rows: Iterable[Any], *, explain: bool = False) -> list[dict[str, Any]]:
        """One prediction for each raw row (a text, ...), as plain values. Raises InputError for what is not a row.

        explain: each with what it rests on, such as what was attended to; InputError for heads that cannot say.
        """
        if isinstance(rows, str):
            raise InputError("predict: expected a list of rows, got one str; put it into a list")
        rows = list(rows)
        inputs = self.begun(rows) if self.head.running else self.modality.encode_all(rows)
        results: list[dict[str, Any]] = [{}] * len(rows)
        with self.evaluating():
            for batch in Separate(inputs, None, EVALUATION_TOKENS, shuffle=False).epoch(0, 0):
                given = batch.inputs.to(self.device)
                features, last, _ = self.features(given)
                found = self.head.explain(given, features, last) if explain else self.head.decode(features, last)
                assert batch.rows is not None
                for row, result in zip(batch.rows.tolist(), found, strict=True):
                    results[row] = result
        if self.head.aligned and isinstance(self.modality, Tokens):
            return [{"tokens": self.modality.tokens(row), **result} for row, result in zip(rows, results, strict=True)]
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
