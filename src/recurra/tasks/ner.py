"""Names of people, places and other things in a text."""

from recurra.tasks.base import Task

ner = Task(
    name="ner",
    summary="finds the names in a text",
    shape="many to many, aligned",
    input="text",
    output="tags",
    roles=("text", "tags"),
    columns={"tags": "ner"},
    dataset="conll2003",
    defaults={
        "trunk.bidirectional": True,
        "trunk.hidden": 128,
        "trunk.input_dropout": 0.5,
        "trunk.dropout": 0.5,
        "training.patience": 5,
    },
)
