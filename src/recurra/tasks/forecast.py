"""What series in time will be."""

from recurra.tasks.base import Task

forecast = Task(
    name="forecast",
    summary="says what series in time will be, and how sure that is",
    shape="many to many",
    input="panel",
    output="forecast",
    roles=("y",),
    dataset="m4_hourly",
    defaults={
        "trunk.hidden": 128,
        "training.batch_tokens": 8192,
        "training.rate": 2e-3,
    },
)
