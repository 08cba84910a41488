"""Texts found by what they mean."""

from recurra.tasks.base import Task

search = Task(
    name="search",
    summary="finds the texts that belong to a text, or tells how alike two are",
    shape="many to one",
    input="text",
    output="vector",
    roles=("text", "other"),
    dataset="sick",
    defaults={
        "modality.lower": True,
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.3,
        "trunk.dropout": 0.2,
        "training.patience": 5,
    },
)
