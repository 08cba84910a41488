"""Anomalies in Python: fit, score, stream."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from recurra.datasets.load import from_frame, is_frame, tables_of
from recurra.datasets.points import gathered, is_number, unread_note
from recurra.errors import InputError
from recurra.notes import Change, pass_on
from recurra.runs.engine import train
from recurra.runs.run import Run, load
from recurra.streaming import AnomalyStreams

if TYPE_CHECKING:
    import pandas as pd


class AnomalyDetector:
    """Scores each point of live or recorded series by how unusual it is, without labels.

    settings: of the task ``anomaly``, by path or last word, such as ``alarm_rate=1e-4``, ``way="autoencoder"``,
    ``hidden=64``, ``epochs=5``. What it learns is kept in a run folder, the same as ``recurra train anomaly`` leaves.

    >>> detector = AnomalyDetector(alarm_rate=1e-4).fit(frame, out="runs/servers")  # doctest: +SKIP
    >>> scored = detector.score(frame)                                              # doctest: +SKIP
    >>> live = detector.stream(capacity=100)                                        # doctest: +SKIP
    """

    def __init__(self, **settings: Any):
        self._settings = settings
        self._run: Run | None = None

    @classmethod
    def load(cls, folder: str | Path) -> Self:
        """The detector in a run folder. Raises MissingFileError or RunError, InputError for a run of another task."""
        detector = cls()
        detector._run = load(folder)
        if detector._run.task.name != "anomaly":
            raise InputError(f"{folder}: a run of {detector._run.task.name}, not of anomaly")
        return detector

    @property
    def run(self) -> Run:
        """The run it is kept in. Raises InputError before ``fit``."""
        if self._run is None:
            raise InputError("AnomalyDetector: not fitted yet; call fit, or load one")
        return self._run

    @property
    def threshold(self) -> float:
        """The score that makes an alarm, by the wanted rate of alarms alone."""
        return float(self.run.model.head.settings.threshold)

    def fit(self, data: "str | Path | pd.DataFrame | None" = None, *, out: str | Path | None = None) -> Self:
        """Trains on series that are mostly ordinary; labels are not needed.

        data: a frame or file with a point in each row (``unique_id, ds, y`` or ``timestamp, value``) or a series in
        each; None: drawn series, for a detector of any. out: as for ``recurra.train``, whose errors it raises.
        """
        self._run = train("anomaly", data, out=out, settings=self._settings)
        return self

    def score(self, data: "str | Path | pd.DataFrame | pd.Series[Any] | ArrayLike") -> "pd.DataFrame":
        """The frame with columns ``score``, in [0, 1), and ``alarm``; each point by itself and those before it.

        Of several channels, ``channel`` is the one that was farthest from what the network said.

        data: a point in each row, as for ``fit``, with the channels of the training; or one series as an array, a list
        or a pandas series, [T] or [T, C]. A polars frame comes back as a pandas frame. What is filled, and
        columns of numbers that are not read, are said in a warning. Raises InputError, DataError or MissingFileError.
        """
        frame = self._frame(data)
        columns = {"series": self.run.config.data.columns.get("series", "")}
        fits = columns["series"] and set(columns["series"].split(",")) <= set(map(str, frame.columns))
        plain = from_frame(frame)
        points = gathered(plain, "data", columns if fits else {})
        if points is None:
            raise InputError("data: expected a point in each row, got rows that are series; Run.predict takes those")
        pass_on(points.notes)
        if numbers := [column for column in points.unread if all(map(is_number, plain[column]))]:
            pass_on([Change(unread_note("data", numbers))])
        score, alarm = np.zeros(len(frame)), np.zeros(len(frame), dtype=bool)
        names, channel = np.array(points.channels.split(","), dtype=object), np.zeros(len(frame), dtype=np.int64)
        found = self.run.predict(list(points.table["series"])) if len(frame) else []
        for at, result in zip(points.places, found, strict=True):
            score[at] = result["score"]
            alarm[at[result["alarms"]]] = True
            channel[at] = result.get("channel", 0)
        return frame.assign(score=score, alarm=alarm, **({"channel": names[channel]} if len(names) > 1 else {}))

    def _frame(self, data: Any) -> "pd.DataFrame":
        """What ``score`` takes, as a pandas frame."""
        import pandas as pd

        config = self.run.config.data
        if isinstance(data, str | Path):
            _, tables, _ = tables_of(data, config.encoding, config.header, "lines")
            return tables.get("test", tables["train"])
        if is_frame(data):
            return data if isinstance(data, pd.DataFrame) else data.to_pandas()
        try:
            values = np.asarray(data, np.float64)
        except (TypeError, ValueError):
            values = np.empty(())
        if values.ndim not in (1, 2):
            raise InputError(
                f"data: expected a path, a frame, or one series of numbers, [T] or [T, C], got {type(data).__name__}"
            )
        values, channels = values.reshape(len(values), -1), config.columns.get("series", "").split(",")
        if values.shape[1] != len(channels):
            channels = ["value"] if values.shape[1] == 1 else list(map(str, range(values.shape[1])))
        index = data.index if isinstance(data, pd.Series) else None
        return pd.DataFrame(values, columns=channels, index=index)

    def stream(self, capacity: int = 1) -> AnomalyStreams:
        """Live series, up to ``capacity``, stepped together."""
        return AnomalyStreams(self.run.model, capacity)
