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
        "modality.max_vocab": 4000,
        "modality.max_length": 1000,
        "trunk.bidirectional": True,
        "trunk.hidden": 192,
        "trunk.input_dropout": 0.3,
        "trunk.dropout": 0.3,
        "head.hidden": 320,
        "head.input_dropout": 0.3,
        # Small batches: many steps count for more than good use of the processor.
        "training.batch_tokens": 1024,
        "training.rate": 2e-3,
    },
)
