"""The part of speech of each word."""

from recurra.tasks._tagging import TAGGING
from recurra.tasks.base import Task

pos = Task(
    name="pos",
    summary="tells each word's part of speech",
    shape="many to many, aligned",
    input="text",
    output="tags",
    roles=("text", "tags"),
    columns={"tags": "pos"},
    dataset="conll2000",
    defaults=TAGGING,
)
