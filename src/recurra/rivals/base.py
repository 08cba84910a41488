"""What every rival offers to the heads that are held against it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray


class Rival(ABC):
    """Answers rows of a modality without a network. ``classifier``, ``regressor``: what it is called in tables."""

    classifier: ClassVar[str]
    regressor: ClassVar[str]

    @abstractmethod
    def classify(
        self, known: Sequence[Any], labels: NDArray[np.int64], asked: Sequence[Any]
    ) -> NDArray[np.int64] | None:
        """The label of each row of ``asked``, from ``known`` rows and theirs. None where it cannot read the rows."""

    @abstractmethod
    def regress(
        self, known: Sequence[Any], numbers: NDArray[np.float64], asked: Sequence[Any]
    ) -> NDArray[np.float64] | None:
        """As ``classify``, for numbers."""
