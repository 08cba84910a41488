"""The trunk of a model: recurrent layers, as its settings say."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from recurra.cells import CELLS, Cell
from recurra.config import setting
from recurra.errors import InputError, UnknownNameError
from recurra.nn import Bidirectional, Layer, Recurrent, Stack


@dataclass(frozen=True)
class TrunkConfig:
    """Settings of the recurrent layers."""

    cell: str | tuple[str, ...] = setting("lstm", "the cell of all layers, or of each, the lowest first")
    layers: int = setting(1, "layers on top of each other; a list of cells or of hidden units says it itself")
    hidden: int | tuple[int, ...] = setting(256, "hidden units of each layer and direction, one for all or a list")
    embedding: int = setting(
        0, "width of the input vectors; 0: of tokens as many as the lowest layer's units, of series as many as channels"
    )
    stack: int = setting(
        1, "steps that the layers read as one, end to end: fewer to go through and to remember; not for a head a step"
    )
    projection: int = setting(0, "output units of a cell that projects its state; 0: half as many as hidden")
    gate_bias: dict[str, float] = field(
        default_factory=dict, metadata={"help": "what a gate's bias starts at, such as f = 1.0; else as the cell says"}
    )
    residual: bool = setting(False, "a layer above the first that is as wide as its input adds it to its output")
    bidirectional: bool = setting(False, "read in both directions")
    apart: bool = setting(False, "each direction is a stack of its own, and they are joined above all layers")
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
        least_of = {"layers": 1, "hidden": 1, "heads": 1, "stack": 1, "embedding": 0, "projection": 0}
        for name, least in least_of.items():
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

    @property
    def heard_apart(self) -> bool:
        """Whether there are two directions that never hear each other, side by side in the output."""
        return self.bidirectional and self.merge == "concat" and (self.apart or len(self.each) == 1)

    def build(self, width: int) -> Stack:
        """The layers over input vectors of this width, ``stack`` of them at a time. Raises UnknownNameError."""
        width *= self.stack
        gates = {gate: None for cell, _ in self.each for gate in cell.gates}
        for gate in self.gate_bias:
            if gate not in gates:
                raise UnknownNameError(f"gate of {', '.join(cell.name for cell, _ in self.each)}", gate, gates)
        if not self.bidirectional:
            return self._stack(width, self._recurrent)
        if not self.apart:
            return self._stack(width, lambda *sizes: self._both(self._recurrent(*sizes), self._reversed(*sizes)))
        return Stack([self._both(self._stack(width, self._recurrent), self._stack(width, self._reversed))])

    def _stack(self, width: int, layer: Callable[[Cell, int, int], Layer]) -> Stack:
        """layer: of a cell, the width of what it reads, and its units."""
        layers: list[Layer] = []
        for cell, hidden in self.each:
            layers.append(layer(cell, width, hidden))
            width = layers[-1].output_size
        return Stack(layers, dropout=self.dropout, variational=self.variational, residual=self.residual)

    def _both(self, ahead: Layer, back: Layer) -> Bidirectional:
        return Bidirectional(ahead, back, merge=self.merge)

    def _reversed(self, cell: Cell, width: int, hidden: int) -> Recurrent:
        return self._recurrent(cell, width, hidden, reverse=True)

    def _recurrent(self, cell: Cell, width: int, hidden: int, reverse: bool = False) -> Recurrent:
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
