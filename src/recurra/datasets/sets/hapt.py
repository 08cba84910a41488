"""Six activities from the accelerometer and gyroscope of a telephone worn at the waist.

Windows of 128 steps at 50 Hz, each 64 after the one before, cut from the stretches of one activity as in UCI HAR
(Anguita et al. 2013), with its test users. Channels: acceleration x, y, z in g, with gravity; rotation x, y, z in
rad/s. Transitions between postures are left out. Validation windows are those of four users who are in no other part.
"""

import io
from collections.abc import Mapping
from itertools import pairwise

from recurra.datasets.base import Columns, Dataset, File

ACTIVITIES = {1: "walking", 2: "upstairs", 3: "downstairs", 4: "sitting", 5: "standing", 6: "lying"}
WINDOW, HOP = 128, 64
TEST_USERS = (2, 4, 9, 10, 12, 13, 18, 20, 24)
VALID_USERS = (5, 15, 22, 28)
# What one step of the sensors' converters is.
G, RADIANS_PER_SECOND = 1 / 720, 0.00030543261


def _read(files: Mapping[str, bytes]) -> dict[str, Columns]:
    import numpy as np

    with np.load(io.BytesIO(files["npz"]), allow_pickle=False) as data:
        values = np.hstack([data["acc"] * np.float32(G), data["gyro"] * np.float32(RADIANS_PER_SECOND)])
        labels, users, recordings = data["label"], data["user"].astype(int), data["rec"].astype(int)
    changes = [np.diff(column) != 0 for column in (labels, users, recordings)]
    bounds = [0, *(np.flatnonzero(np.any(changes, axis=0)) + 1), len(labels)]
    splits: dict[str, dict[str, list[object]]] = {s: {"series": [], "label": []} for s in ("train", "valid", "test")}
    for begin, end in pairwise(bounds):
        activity, user = ACTIVITIES.get(int(labels[begin])), int(users[begin])
        if activity is None:
            continue
        part = splits["test" if user in TEST_USERS else "valid" if user in VALID_USERS else "train"]
        for start in range(begin, end - WINDOW + 1, HOP):
            part["series"].append(values[start : start + WINDOW])
            part["label"].append(activity)
    return {split: {**columns} for split, columns in splits.items()}


HAPT = Dataset(
    name="hapt",
    summary="activities from a telephone's accelerometer and gyroscope, 6 classes; tested on other people",
    size="6,073 / 1,342 / 2,996 windows of 128 steps, 6 channels, of 17, 4 and 9 people",
    task="gesture",
    licence="CC-BY-4.0",
    source="Reyes-Ortiz et al. 2016, https://doi.org/10.24432/C54G7M",
    read=_read,
    files={
        "npz": File(
            path="hapt/hapt.npz",
            hash="sha256:063e8fdf9b90a756414b840727d0dbb0b1b4bd4b818b7493c3c3b8b999731227",
        )
    },
)
