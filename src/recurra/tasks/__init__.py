"""The jobs people search for, one file each."""

from recurra.registry import Registry
from recurra.tasks.base import Task

TASKS = Registry(__name__, Task, "task")

__all__ = ["TASKS", "Task"]
