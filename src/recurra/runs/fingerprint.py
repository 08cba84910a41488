"""Whether data are still those that a run was trained on."""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def fingerprint(frame: "pd.DataFrame") -> str:
    """Changes when any row of the data does."""
    from pandas.util import hash_pandas_object

    return hashlib.sha256(hash_pandas_object(frame, index=False).to_numpy().tobytes()).hexdigest()[:16]
