"""Text continued token by token."""

from recurra.tasks.base import Task

language_model = Task(
    name="language-model",
    summary="learns running text and continues it",
    shape="many to many, shifted by one",
    input="text",
    output="next",
    roles=("text",),
    dataset="pydoc",
    defaults={
        "modality.unit": "char",
        "trunk.hidden": 512,
        "trunk.input_dropout": 0.1,
        "trunk.dropout": 0.3,
        "training.epochs": 20,
    },
    brief={
        "trunk.hidden": 256,
        "trunk.dropout": 0.2,
    },
)
