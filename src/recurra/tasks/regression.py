"""A number that a series of measurements stands for."""

from recurra.tasks.base import Task

regression = Task(
    name="regression",
    summary="reads a number off a series: a level, a load, the life that is left",
    shape="many to one",
    input="series",
    output="number",
    roles=("series", "number"),
    dataset="adding",
    defaults={
        "trunk.hidden": 64,
        "training.batch_tokens": 8192,
    },
)
