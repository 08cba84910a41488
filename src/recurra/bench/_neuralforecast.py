"""NeuralForecast's LSTM (Nixtla, https://github.com/Nixtla/neuralforecast), trained on the same windows as ours.

An LSTM reads the window, and a small network of two layers makes the forecast of its last states; Adam, and the
library's own defaults for all that is not said here.
"""

import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import numpy as np

from recurra.bench._compare import clock
from recurra.timeline import Numbers

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_RATE = 1e-3


def installed() -> bool:
    return find_spec("neuralforecast") is not None


@dataclass(frozen=True)
class Training:
    """horizon, steps: forecast and read. stride: between windows. batch: windows. updates: so many batches."""

    horizon: int
    steps: int
    stride: int
    hidden: int
    batch: int
    updates: int
    levels: Sequence[float]
    rate: float = DEFAULT_RATE


class Peer:
    """frame: ``unique_id``, ``ds`` in whole numbers, ``y``."""

    def __init__(self, frame: "pd.DataFrame", training: Training):
        self.frame, self.training = frame, training

    def train(self) -> float:
        """Trains a new network, and returns the seconds of its updates alone: without reading the table."""
        with _quiet():
            from neuralforecast import NeuralForecast
            from neuralforecast.losses.pytorch import MQLoss
            from neuralforecast.models import LSTM
            from pytorch_lightning.callbacks import LambdaCallback

            t = self.training
            marks: list[float] = []
            between = LambdaCallback(
                on_train_start=lambda *_: marks.append(clock()), on_train_end=lambda *_: marks.append(clock())
            )
            model = LSTM(
                h=t.horizon,
                input_size=t.steps,
                encoder_n_layers=1,
                encoder_hidden_size=t.hidden,
                decoder_hidden_size=t.hidden,
                loss=MQLoss(quantiles=list(t.levels)),
                max_steps=t.updates,
                val_check_steps=t.updates,
                learning_rate=t.rate,
                windows_batch_size=t.batch,
                step_size=t.stride,
                callbacks=[between],
                accelerator="cpu",
                logger=False,
                enable_progress_bar=False,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            self.fitted: Any = NeuralForecast(models=[model], freq=1)
            self.fitted.fit(self.frame)
        start, end = marks
        return end - start

    def forecast(self) -> dict[str, Numbers]:
        """The medians of what comes after each series of the table, [h], by its name. After ``train``."""
        with _quiet():
            table = self.fitted.predict()
        groups = table.sort_values("ds").groupby("unique_id")["LSTM-median"]
        return {str(name): np.asarray(values, np.float64) for name, values in groups}


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the library's warnings and greetings."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import neuralforecast  # noqa: F401  it sets levels of its own

        for name in ("pytorch_lightning", "pytorch_lightning.utilities.rank_zero", "lightning_fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        yield
