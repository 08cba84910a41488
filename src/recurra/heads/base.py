"""What every head offers to the model, the training loop and the evaluation."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor, nn

from recurra.errors import InputError
from recurra.modalities import Modality
from recurra.nn.pooling import Pooling
from recurra.sequences import Ragged, State
from recurra.sequences.batches import Targets
from recurra.trunk import TrunkConfig

if TYPE_CHECKING:
    import pandas as pd

# What an answer rests on, as a number: from every step's features, the last ones, and which of the sequences that are
# explained each of these R is, [R], to [R].
Score = Callable[[Ragged, Tensor, Tensor], Tensor]
# Of each sequence its score, that of a sequence that says nothing, and what each step adds to it.
Contributions = Callable[[Score], list[dict[str, Any]]]
# Encoder and trunk over sequences: from these and a state to features, the last ones, and the state after them.
Reading = Callable[[Ragged, State | None], tuple[Ragged, Tensor, State]]


@dataclass(frozen=True)
class Objective:
    """The metric that decides which weights are the best, and its direction; of equals, the less of ``tie``."""

    metric: str
    maximise: bool
    tie: str = ""

    def better(self, new: dict[str, float], old: dict[str, float] | None) -> bool:
        """Whether ``new`` beats ``old``. What is not finite beats nothing; everything else beats None."""
        if not all(map(math.isfinite, new.values())):
            return False
        if old is None:
            return True
        if self.tie and new[self.metric] == old[self.metric]:
            return new[self.tie] < old[self.tie]
        gain = new[self.metric] - old[self.metric]
        return gain > 0 if self.maximise else gain < 0


class Meter(ABC):
    """Metrics over any number of batches: sums, never means of means."""

    @abstractmethod
    def update(self, features: Ragged, last: Tensor, targets: Any, rows: Tensor | None) -> None:
        """Counts one batch. rows: [B], which rows of the data these are, where they are rows."""

    @abstractmethod
    def metrics(self) -> dict[str, float]:
        """The figures so far."""

    def beside(self, frame: "pd.DataFrame", trained: "pd.DataFrame | None") -> dict[str, dict[str, float]]:
        """The same figures of what one could use instead, by its name.

        frame: the rows that were counted. trained: the rows that it may learn from, where they are at hand.
        """
        return {}

    def details(self, frame: "pd.DataFrame") -> dict[str, Any]:
        """What a report shows beside the figures. frame: the rows that were counted."""
        return {}

    def telling(self, frame: "pd.DataFrame") -> dict[int, Any]:
        """Rows that a report explains, by their place in ``frame``, with what was wanted of each, as plain values."""
        return {}


class Head(nn.Module, ABC):
    """The last part of a model.

    ``config`` is the class of its settings, ``roles`` the data columns it learns from beside the input,
    ``running`` whether it reads one running sequence (the next token) or rows apart. ``begun``, ``ended`` whether an
    end token stands before and after each row. ``shared`` those roles whose columns are written in the input's own
    units, so that the modality is fitted to them too. ``aligned`` whether each step of the input has a target of its
    own, ``unaligned`` whether targets are sequences with lengths of their own, whose steps a batch counts beside the
    input's. ``optional`` further roles, whose columns the data may lack, ``gaps`` roles that single rows may lack,
    which are then empty. ``pointwise``: tables may hold a point of a series in each row. ``objective`` may depend on
    the settings. ``pool`` makes one vector of a sequence's steps: a head that has one gets it as ``last``, which is
    else the trunk's final output.
    """

    config: ClassVar[type]
    roles: ClassVar[tuple[str, ...]] = ()
    running: ClassVar[bool] = False
    begun: ClassVar[bool] = False
    ended: ClassVar[bool] = False
    shared: ClassVar[tuple[str, ...]] = ()
    aligned: ClassVar[bool] = False
    unaligned: ClassVar[bool] = False
    optional: ClassVar[tuple[str, ...]] = ()
    gaps: ClassVar[tuple[str, ...]] = ()
    pointwise: ClassVar[bool] = False
    objective: Objective

    @classmethod
    def check(cls, config: Any, trunk: TrunkConfig) -> None:
        """Raises InputError where it cannot be put on this trunk."""

    @classmethod
    @abstractmethod
    def learn(cls, config: Any, frame: "pd.DataFrame") -> dict[str, Any]:
        """What must be known before there are weights (the labels), as plain JSON values."""

    @abstractmethod
    def __init__(self, config: Any, width: int, known: dict[str, Any], modality: Modality, encoder: nn.Module):
        """width: features F of the trunk's output. known: what ``learn`` gave. encoder: the modality's."""
        super().__init__()
        self.modality = modality
        self.pool: Pooling | None = None

    @abstractmethod
    def targets(self, frame: "pd.DataFrame", where: str) -> Targets | None:
        """The rows' targets, or None where the input is its own target. ``where`` names the data in errors."""

    def reads(self, inputs: Ragged, targets: Any) -> Ragged:
        """The sequences of a batch that encoder and trunk read; a head that compares them adds its targets'."""
        return inputs

    def through(self, run: Reading, inputs: Ragged, state: State | None) -> tuple[Ragged, Tensor, State]:
        """What encoder and trunk make of the sequences to be evaluated: features, last ones, state. run: both of them;
        a head whose predictions are read again calls it step by step."""
        return run(inputs, state)

    @abstractmethod
    def loss(self, features: Ragged, last: Tensor, targets: Any) -> tuple[Tensor, Tensor | float]:
        """Summed loss in nats, and what to divide it by for a mean. features: [N, F]. last: [B, F]."""

    @abstractmethod
    def decode(self, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """One prediction a sequence, as plain values."""

    def judge(self, inputs: Ragged, features: Ragged, last: Tensor) -> list[dict[str, Any]]:
        """As ``decode``, by a head that holds what the network says against the sequences. inputs: as encoded."""
        return self.decode(features, last)

    def placed(self, rows: Sequence[Any], results: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Predictions as people want them, where that takes the raw rows. results: as ``decode`` has them."""
        return results

    def calibrate(self, measured: Callable[[], Meter]) -> bool:
        """Learns from validation rows, after the training, how sure it may be. Returns whether weights have changed.

        measured: gives this head's meter with these rows counted, which takes as long as evaluating them.
        """
        return False

    def explain(
        self, inputs: Ragged, features: Ragged, last: Tensor, contributions: Contributions
    ) -> list[dict[str, Any]]:
        """As ``decode``, each with what it rests on; InputError where that cannot be said.

        inputs: as encoded. contributions: of a score, what each step adds to it.
        """
        raise InputError(f"head {type(self).__name__.lower()}: its predictions have no explanation")

    def said(self, tokens: Callable[[], list[str]], result: dict[str, Any]) -> dict[str, Any]:
        """A prediction as people want it: contributions beside their tokens.

        tokens: gives the row's, as they are. result: one of ``decode``'s or ``explain``'s.
        """
        return {**result, "tokens": tokens()[: len(result["contributions"])]} if "contributions" in result else result

    @abstractmethod
    def meter(self) -> Meter:
        """A new count of this head's metrics."""

    def validation_meter(self) -> Meter:
        """A count for the validations of a training, which may take a quicker way than ``meter``."""
        return self.meter()
