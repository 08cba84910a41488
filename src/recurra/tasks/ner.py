"""Names of people, places and other things in a text."""

from recurra.tasks._tagging import TAGGING
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
    defaults=TAGGING,
)
