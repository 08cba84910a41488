"""What a text is about."""

from recurra.tasks.base import Task

topic = Task(
    name="topic",
    summary="tells what a text is about",
    shape="many to one",
    input="text",
    output="category",
    roles=("text", "label"),
    dataset="trec_qc",
    defaults={
        "modality.lower": True,
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.5,
        "trunk.dropout": 0.3,
        "training.patience": 5,
    },
)
