"""The phrases of a sentence."""

from recurra.tasks._tagging import TAGGING
from recurra.tasks.base import Task

chunk = Task(
    name="chunk",
    summary="finds the phrases of a sentence",
    shape="many to many, aligned",
    input="text",
    output="tags",
    roles=("text", "tags"),
    columns={"tags": "chunk"},
    dataset="conll2000",
    defaults=TAGGING,
)
