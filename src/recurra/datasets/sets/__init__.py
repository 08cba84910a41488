"""Public data sets, one file each."""

from recurra.datasets.base import Dataset
from recurra.registry import Registry

DATASETS = Registry(__name__, Dataset, "data set")

__all__ = ["DATASETS"]
