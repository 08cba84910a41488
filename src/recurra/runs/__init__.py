"""Training, using and keeping a run: the engine of the command line and of the Python interface."""

from recurra.runs.run import Run, load
from recurra.runs.train import train

__all__ = ["Run", "load", "train"]
