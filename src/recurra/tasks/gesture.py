"""What a series of measurements shows: a gesture, an activity, a kind of signal."""

from recurra.tasks.base import Task

gesture = Task(
    name="gesture",
    summary="tells what a recording of sensors, or any series, shows",
    shape="many to one",
    input="series",
    output="category",
    roles=("series", "label"),
    dataset="digits",
    defaults={
        "trunk.cell": "gru",
        "trunk.hidden": 128,
        "head.dropout": 0.2,
        "training.epochs": 40,
    },
    few={
        "modality.jitter": 0.05,
        "modality.scaling": 0.1,
        "modality.warp": 0.2,
        "trunk.hidden": 64,
        "training.epochs": 100,
        # A tenth of few rows is too few to choose weights by, and what is held out is missed in training.
        "training.weights": "last",
    },
)
