"""A text in another language."""

from recurra.tasks.base import Task

translation = Task(
    name="translation",
    summary="writes a text in another language",
    shape="many to many, of unequal lengths",
    input="text",
    output="text",
    roles=("text", "target"),
    dataset="multi30k",
    defaults={
        "modality.unit": "bpe",
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 256,
        "trunk.input_dropout": 0.3,
        "trunk.dropout": 0.3,
        "head.hidden": 512,
        "head.input_dropout": 0.3,
        "training.batch_tokens": 2048,
        "training.rate": 2e-3,
    },
)
