"""What a task is: names and defaults, nothing that computes."""

from dataclasses import dataclass, field

BRIEF_MINUTES = 5.0
FEW_ROWS = 1000


@dataclass(frozen=True)
class Task:
    """A modality, a head and good defaults under the name people search for.

    input, output: names of the modality and the head. roles: the data columns it needs. columns: what the column of a
    role is called in data that have several for it. optional: columns that it reads where the data have them. dataset:
    what it is trained on when no data are named. defaults: settings that differ from the general ones, by dotted path.
    brief: settings for a time budget of at most BRIEF_MINUTES, in which a smaller network learns more.
    few: settings for at most FEW_ROWS training rows.
    """

    name: str
    summary: str
    shape: str
    input: str
    output: str
    roles: tuple[str, ...]
    dataset: str
    columns: dict[str, str] = field(default_factory=dict)
    optional: tuple[str, ...] = ()
    defaults: dict[str, object] = field(default_factory=dict)
    brief: dict[str, object] = field(default_factory=dict)
    few: dict[str, object] = field(default_factory=dict)
