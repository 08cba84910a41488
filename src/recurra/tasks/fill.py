"""A missing word, from both sides."""

from recurra.tasks.base import Task

fill = Task(
    name="fill",
    summary="finds the word for a blank, from what stands before and after it",
    shape="many to one",
    input="text",
    output="missing",
    roles=("text",),
    dataset="ptb",
    defaults={
        "trunk.bidirectional": True,
        "trunk.apart": True,
        "trunk.input_dropout": 0.2,
        "trunk.dropout": 0.3,
        "training.patience": 3,
    },
)
