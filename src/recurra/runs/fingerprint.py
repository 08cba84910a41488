"""Whether data are still those that a run was trained on."""

import hashlib
from typing import TYPE_CHECKING

from recurra.arrays import identity
from recurra.datasets.tables import frame_of

if TYPE_CHECKING:
    import pandas as pd


def fingerprint(frame: "pd.DataFrame") -> str:
    """Changes when any row of the data does."""
    from pandas.util import hash_pandas_object

    plain = frame_of({name: [identity(value) for value in frame[name]] for name in frame.columns})
    return hashlib.sha256(hash_pandas_object(plain, index=False).to_numpy().tobytes()).hexdigest()[:16]
