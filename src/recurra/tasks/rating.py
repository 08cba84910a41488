"""The number that a text stands for."""

from recurra.tasks.base import Task

rating = Task(
    name="rating",
    summary="reads a number off a text, with an interval: stars, a score, a price",
    shape="many to one",
    input="text",
    output="number",
    roles=("text", "number"),
    dataset="imdb",
    defaults={
        "modality.lower": True,
        "modality.min_count": 2,
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.5,
        "trunk.dropout": 0.3,
        "head.pool": "max",
        "head.dropout": 0.5,
        "head.error": "auto",
        "training.patience": 5,
    },
)
