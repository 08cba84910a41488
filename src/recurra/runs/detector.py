"""Anomalies in Python: fit, score, stream."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from recurra.datasets.points import gathered
from recurra.datasets.tables import frame_of
from recurra.errors import InputError
from recurra.notes import pass_on
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

    def score(self, data: "pd.DataFrame") -> "pd.DataFrame":
        """The frame with columns ``score``, in [0, 1), and ``alarm``; each point by itself and those before it.

        data: a point in each row, as for ``fit``, with the channels of the training. A polars frame comes back as a
        pandas frame. Filling missing numbers is said by a ``recurra.errors.DataNote``, a warning. Raises InputError
        or DataError.
        """
        import pandas as pd

        frame = data if isinstance(data, pd.DataFrame) else data.to_pandas()
        columns = {"series": self.run.config.data.columns.get("series", "")}
        fits = columns["series"] and set(columns["series"].split(",")) <= set(map(str, frame.columns))
        plain = frame_of({str(name): list(frame[name]) for name in frame.columns})
        points = gathered(plain, "frame", columns if fits else {})
        if points is None:
            raise InputError("data: expected a point in each row, got rows that are series; Run.predict takes those")
        pass_on(points.notes)
        score, alarm = np.zeros(len(frame)), np.zeros(len(frame), dtype=bool)
        found = self.run.predict(list(points.table["series"]))
        for at, result in zip(points.places, found, strict=True):
            score[at] = result["score"]
            alarm[at[result["alarms"]]] = True
        return frame.assign(score=score, alarm=alarm)

    def stream(self, capacity: int = 1) -> AnomalyStreams:
        """Live series, up to ``capacity``, stepped together."""
        return AnomalyStreams(self.run.model, capacity)
