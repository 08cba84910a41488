"""The opinion a text expresses."""

from recurra.tasks.base import Task

sentiment = Task(
    name="sentiment",
    summary="tells the opinion a text expresses",
    shape="many to one",
    input="text",
    output="category",
    roles=("text", "label"),
    dataset="sst2",
    defaults={
        "modality.lower": True,
        "modality.min_count": 2,
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.5,
        "trunk.dropout": 0.3,
        "training.patience": 5,
    },
)
