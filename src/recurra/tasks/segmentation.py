"""What goes on at each step of a series of measurements."""

from recurra.tasks.base import Task

segmentation = Task(
    name="segmentation",
    summary="tells what goes on at each step of a series: phases of sleep, activities, states of a machine",
    shape="many to many, aligned",
    input="series",
    output="tags",
    roles=("series", "tags"),
    dataset="copy_memory",
    defaults={
        "trunk.hidden": 64,
        "training.batch_tokens": 8192,
    },
)
