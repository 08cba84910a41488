"""A run's whole configuration: what config.toml holds."""

import tomllib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recurra.config import from_dict, override, paths, resolve
from recurra.datasets import DataConfig
from recurra.errors import InputError, MissingFileError, UnknownNameError
from recurra.model import ModelConfig
from recurra.tasks import TASKS, Task
from recurra.training import TrainingConfig
from recurra.trunk import TrunkConfig

# What these names mean where a head has settings of the same name, as on the command line.
OF_THE_TRUNK = ("cell", "layers", "hidden")


@dataclass(frozen=True)
class RunConfig:
    """The task, the seed, and a section of settings for each part."""

    task: str
    seed: int
    input: str
    output: str
    data: DataConfig
    modality: Any
    trunk: TrunkConfig
    head: Any
    training: TrainingConfig

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**63:
            raise InputError(f"seed: expected 0 up to 2^63 - 1, got {self.seed}")

    @property
    def model(self) -> ModelConfig:
        return ModelConfig(self.input, self.output, self.modality, self.trunk, self.head)


def defaults(task: Task) -> RunConfig:
    """A task's configuration before anybody changed anything."""
    model = ModelConfig.from_dict({"input": task.input, "output": task.output})
    general = RunConfig(
        task.name, 0, task.input, task.output, DataConfig(), model.modality, model.trunk, model.head, TrainingConfig()
    )
    return override(general, task.defaults)


def from_run(values: dict[str, Any]) -> RunConfig:
    """From a run folder's config.toml. Raises UnknownNameError, naming the nearest key, or InputError."""
    values = {k: v for k, v in values.items() if k != "format"}
    base = defaults(TASKS.get(values.pop("task", "")))
    known = vars(base)
    for key in values:
        if key not in known:
            raise UnknownNameError("section or setting of config.toml,", key, known)
    model = ModelConfig.from_dict(values)
    return replace(
        base,
        seed=int(values.get("seed", base.seed)),
        data=from_dict(DataConfig, values.get("data", {}), "data"),
        modality=model.modality,
        trunk=model.trunk,
        head=model.head,
        training=from_dict(TrainingConfig, values.get("training", {}), "training"),
    )


def read_settings(file: Path) -> dict[str, Any]:
    """A recipe's settings, flat, by dotted path. Raises MissingFileError or InputError."""
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MissingFileError(f"{file}: no such configuration file") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{file}: not a readable TOML file ({error})") from None
    return flat(values)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted path."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return found


def changed(config: RunConfig, settings: dict[str, Any]) -> RunConfig:
    """With a user's settings. A time budget given without epochs lifts the task's limit on epochs."""
    full = {resolve(config, f"trunk.{key}" if key in OF_THE_TRUNK else key): value for key, value in settings.items()}
    for fixed in ("task", "input", "output"):
        if fixed in full:
            raise InputError(f"setting {fixed!r} belongs to the task: name another task instead")
    if "training.minutes" in full and "training.epochs" not in full:
        # Minutes first: at no moment may both limits be off.
        full = {"training.minutes": full["training.minutes"], **full, "training.epochs": 0}
    return override(config, full)


def is_setting(config: RunConfig, key: str) -> bool:
    """Whether a key names a setting, by path or by its last word."""
    known = paths(config)
    return key in known or any(path.rsplit(".", 1)[-1] == key for path in known)
