"""metrics.jsonl as it is read back."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from recurra.errors import RunError

Event = dict[str, Any]


@dataclass(frozen=True)
class Events:
    """A training's events by kind. end: None while it runs, or where it was killed."""

    start: Event
    steps: list[Event]
    valid: list[Event]
    end: Event | None
    evaluation: Event | None

    @property
    def best(self) -> Event | None:
        """The validation whose weights were kept."""
        return next((v for v in reversed(self.valid) if v["best"]), None)

    @property
    def last(self) -> Event | None:
        """The event that says how far the training got: step, epoch, seconds."""
        return self.end or max([*self.steps, *self.valid], key=lambda e: e["step"], default=None)


def lines(folder: Path) -> list[Event]:
    """A run folder's metrics.jsonl, line by line. A last line that was cut off is left out.

    Raises RunError where the file is missing or damaged.
    """
    file = folder / "metrics.jsonl"
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise RunError(f"{file}: cannot be read ({error.strerror}); is {folder} the folder of a training?") from None
    # Not splitlines: a sample may hold other characters that Python takes for line ends.
    return [_parsed(line, f"{file}, line {i}") for i, line in enumerate(text.split("\n")[:-1], 1)]


def read(folder: Path) -> Events:
    """A run folder's events by kind. Raises RunError where they are missing or damaged."""
    by_kind: dict[str, list[Event]] = {}
    for event in lines(folder):
        by_kind.setdefault(event["event"], []).append(event)
    if "start" not in by_kind:
        raise RunError(f"{folder / 'metrics.jsonl'}: holds no start of a training; train again into another folder")
    steps, ends = by_kind.get("step", []), by_kind.get("end", [])
    # A training that goes on after its end has ended only when it ends again.
    ended = bool(ends) and (not steps or ends[-1]["step"] >= steps[-1]["step"])
    return Events(
        start=by_kind["start"][-1],
        steps=steps,
        valid=by_kind.get("valid", []),
        end=ends[-1] if ended else None,
        evaluation=by_kind["evaluation"][-1] if ended and "evaluation" in by_kind else None,
    )


def _parsed(line: str, where: str) -> Event:
    try:
        event = json.loads(line)
    except ValueError:
        event = None
    if not isinstance(event, dict) or "event" not in event:
        raise RunError(f"{where}: not an event of a training; the file has been damaged or changed")
    return event
