"""What is unusual in a series, as it comes."""

from recurra.tasks.base import Task

anomaly = Task(
    name="anomaly",
    summary="scores each step of a series by how unusual it is, live, with a threshold for a wanted rate of alarms",
    shape="many to many",
    input="signal",
    output="anomaly",
    roles=("series",),
    dataset="signals",
    defaults={
        "trunk.hidden": 32,
        "training.epochs": 20,
        "training.batch_tokens": 8192,
        "training.rate": 5e-3,
    },
)
