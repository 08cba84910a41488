"""Recurra: a compiler and toolkit for recurrent neural networks."""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recurra import nn as nn
    from recurra.nn.kernels import kernels as kernels
    from recurra.runs import AnomalyDetector as AnomalyDetector
    from recurra.runs import Forecaster as Forecaster
    from recurra.runs import Run as Run
    from recurra.runs import compare as compare
    from recurra.runs import load as load
    from recurra.runs import train as train
    from recurra.sequences import Ragged as Ragged
    from recurra.sequences import State as State
    from recurra.training.health import health as health

__version__ = "0.1.0"

# Where each public name lives: it is imported at first use, so that `import recurra` stays free of torch.
_HOMES = {
    "AnomalyDetector": "recurra.runs",
    "Forecaster": "recurra.runs",
    "Ragged": "recurra.sequences",
    "State": "recurra.sequences",
    "Run": "recurra.runs",
    "compare": "recurra.runs",
    "health": "recurra.training.health",
    "kernels": "recurra.nn.kernels",
    "load": "recurra.runs",
    "train": "recurra.runs",
}

__all__ = [
    "AnomalyDetector",
    "Forecaster",
    "Ragged",
    "Run",
    "State",
    "__version__",
    "compare",
    "health",
    "kernels",
    "load",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'recurra' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
