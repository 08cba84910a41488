"""A reply to what was said."""

from recurra.tasks.base import Task

chat = Task(
    name="chat",
    summary="replies to what was said as in the pairs it has read",
    shape="many to many, of unequal lengths",
    input="text",
    output="text",
    roles=("text", "target"),
    dataset="pyhelp",
    optional=("dialogue",),
    defaults={
        "modality.unit": "bpe",
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.1,
        "trunk.dropout": 0.1,
        "head.hidden": 256,
        "head.dropout": 0.1,
        "training.epochs": 50,
        "training.rate": 3e-3,
    },
)
