"""Data: public sets by name, and files and frames of one's own, as rows with a column for each role.

Nothing here imports pandas before rows are read, so that listings and ``--help`` are quick.
"""

from recurra.datasets.base import Dataset, File
from recurra.datasets.columns import Rows
from recurra.datasets.load import DataConfig, Splits, load, read_rows
from recurra.datasets.sets import DATASETS

__all__ = ["DATASETS", "DataConfig", "Dataset", "File", "Rows", "Splits", "load", "read_rows"]
