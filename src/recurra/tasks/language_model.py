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
        # Characters are few: short vectors for them leave the time to the recurrent layer.
        "trunk.embedding": 64,
        "head.tied": False,
        "trunk.hidden": 512,
        # A forget gate that begins open (f = 1) learns the short-range order of characters much more slowly.
        "trunk.gate_bias": {"f": 0.0},
        "trunk.input_dropout": 0.05,
        "trunk.dropout": 0.3,
        "training.epochs": 20,
        "training.rate": 1e-2,
    },
    brief={
        "trunk.hidden": 256,
        "trunk.dropout": 0.2,
    },
)
