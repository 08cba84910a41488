"""Training, using and keeping a run: the engine of the command line and of the Python interface."""

from recurra.runs.comparison import Compared, compare
from recurra.runs.detector import AnomalyDetector
from recurra.runs.engine import train
from recurra.runs.forecaster import Forecaster
from recurra.runs.run import Run, load

__all__ = ["AnomalyDetector", "Compared", "Forecaster", "Run", "compare", "load", "train"]
