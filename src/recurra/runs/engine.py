"""From a task and data to a trained run."""

import itertools
import math
import os
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recurra.config import override, to_dict
from recurra.datasets import Splits
from recurra.datasets.logs import ROLES as LOG_ROLES
from recurra.datasets.points import WHOLE
from recurra.errors import InputError, RunError
from recurra.heads import HEADS, Meter
from recurra.modalities import MODALITIES, Modality, Tokens
from recurra.model import Model, read_config
from recurra.report.events import lines
from recurra.runs import machine
from recurra.runs.config import RunConfig, changed, defaults, flat, from_run, is_setting, read_settings
from recurra.runs.fingerprint import fingerprint
from recurra.runs.log import Display, RunLog, Warns
from recurra.runs.run import FRAME, Run, load, load_splits, optional_roles, timed
from recurra.sequences import Ragged
from recurra.sequences.batches import Separate, Streams
from recurra.tasks import TASKS, Task
from recurra.tasks.base import BRIEF_MINUTES, FEW_ROWS
from recurra.training import checkpoint, fit, make_fabric
from recurra.training.health import health

if TYPE_CHECKING:
    import pandas as pd

CHECKPOINT = Path("checkpoint") / "last.safetensors"
SAMPLE_TOKENS = 300
HEALTH_ROWS, HEALTH_STEPS = 8, 200
SAMPLE_PROMPT = 20
SAMPLE_TEMPERATURES = (0.5, 0.8, 1.0)


def train(
    task: str,
    data: "str | Path | pd.DataFrame | None" = None,
    *,
    out: str | Path | None = None,
    config: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    display: Display | None = None,
    **options: Any,
) -> Run:
    """Trains a task's model on data and leaves a run folder behind.

    task: a name from ``recurra tasks``. data: a file, a folder, a data set's name, a data frame; None: the
    task's default data set. out: the run folder; None: ``runs/<task>``, numbered where that exists.
    config: a TOML file of settings: a recipe, or another run's config.toml. resume: continue the training in ``out``.
    options: a role's column (``text="review"``) or any setting, by its path or its last word (``hidden=128``,
    ``epochs=3``); dots in a path are written as two underscores (``training__rate=1e-3``). settings: the same as
    options, as a table; for keys that are arguments here too.

    What was left out of the data, filled or merged is a ``recurra.errors.DataNote``, a warning. Raises InputError,
    MissingFileError or RunError before anything is written.

    >>> import recurra
    >>> run = recurra.train("sentiment", "reviews.csv", text="review", label="stars")  # doctest: +SKIP
    """
    display = display or Warns()
    kind = TASKS.get(task)
    options = {**(settings or {}), **options}
    frame = None if data is None or isinstance(data, str | Path) else data
    if resume:
        if config or (data is not None and frame is None):
            raise InputError("resume: data and configuration are those of the run; leave them out")
        return _resume(kind, out, options, frame, display)
    wanted = collected(kind, config, options)
    if data is not None:
        wanted["data.source"] = str(data) if frame is None else FRAME
    folder = _new_folder(out, kind.name)
    splits = load_splits(changed(defaults(kind), wanted), frame)
    return begin(kind, wanted, splits, folder, display)


def begin(kind: Task, wanted: dict[str, Any], splits: Splits, folder: Path, display: Display) -> Run:
    """Trains with these settings, by path, on rows that are read already, into a folder that is free."""
    chosen = configured(kind, splits, wanted)
    splits = splits.without_valid() if chosen.training.weights == "last" else splits
    model = _new_model(chosen, *learnt(chosen, splits))
    return _fit(folder, chosen, splits, model, display, _command(kind, wanted))


def learnt(config: RunConfig, splits: Splits) -> tuple[Modality, dict[str, Any]]:
    """What modality and head learn from the training rows before there are weights."""
    head, modality = HEADS.get(config.output), MODALITIES.get(config.input)
    rows = itertools.chain.from_iterable(splits.train[role] for role in (modality.role, *head.shared))
    return modality.fit(config.modality, rows, running=head.running), head.learn(config.head, splits.train)


def _command(kind: Task, wanted: dict[str, Any]) -> str:
    """The command line that trains this run anew, whichever way it was asked for."""
    words = ["recurra", "train", kind.name]
    source = wanted.get("data.source", "")
    words += ["DATA" if source == FRAME else str(source)] if source else []
    for key, value in flat(wanted).items():
        if key.startswith("data.columns."):
            words += ["--column", f"{key.removeprefix('data.columns.')}={value}"]
        elif key != "data.source":
            text = ",".join(map(str, value)) if isinstance(value, list | tuple) else value
            words += ["--set", f"{key}={text}"]
    return shlex.join(words)


def configured(kind: Task, splits: Splits, settings: dict[str, Any]) -> RunConfig:
    """The task's defaults, then what suits the number of rows, the data and the time, then what the user says."""
    base = override(defaults(kind), kind.few if len(splits.train) <= FEW_ROWS else {})
    base = override(base, dict(splits.defaults))
    if 0 < changed(base, settings).training.minutes <= BRIEF_MINUTES:
        base = override(base, kind.brief)
    # What a task says of a gate holds for the cells that have it.
    gates = {gate for cell, _ in changed(base, settings).trunk.each for gate in cell.gates}
    own = {gate: bias for gate, bias in base.trunk.gate_bias.items() if gate in gates}
    chosen = override(changed(override(base, {"trunk.gate_bias": own}), settings), dict(splits.settled))
    if MODALITIES.get(kind.input).timed:
        chosen = timed(chosen, splits.defaults)
    return replace(chosen, data=replace(chosen.data, columns=splits.columns))


def collected(kind: Task, file: str | Path | None, options: dict[str, Any]) -> dict[str, Any]:
    """A recipe's settings with a user's options over them."""
    settings = read_settings(Path(file)) if file else {}
    settings.pop("format", None)
    for key, own in (("task", kind.name), ("input", kind.input), ("output", kind.output)):
        if (found := str(settings.pop(key, own)).replace("_", "-")) != own:
            raise InputError(f"{file}: settings for {key} {found}, not for {own}, which {kind.name} has")
    start = defaults(kind)
    roles = (*kind.roles, *optional_roles(kind), *(LOG_ROLES if WHOLE in kind.roles else ()))
    for key, value in options.items():
        key = key.replace("__", ".")
        column = key in roles and not is_setting(start, key)
        settings[f"data.columns.{key}" if column else key] = value
    return settings


def _new_folder(out: str | Path | None, task: str) -> Path:
    """Where the run will go. Raises RunError where that is taken or cannot be written."""
    folder = Path(out) if out else next(p for p in _numbered(Path("runs") / task) if not p.exists())
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: already exists; choose another folder (out), or go on with its training (resume)")
    parent = next(p for p in [folder, *folder.absolute().parents] if p.exists())
    if not parent.is_dir() or not os.access(parent, os.W_OK):
        raise RunError(f"{folder}: {parent} cannot be written to; choose another folder")
    return folder


def _numbered(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.name}-{number}")


def _new_model(config: RunConfig, modality: Modality, known: dict[str, Any]) -> Model:
    torch.manual_seed(config.seed)
    return Model(config.model, modality, known, to_dict(config))


def _resume(
    kind: Task, out: str | Path | None, options: dict[str, Any], frame: "pd.DataFrame | None", display: Display
) -> Run:
    """Goes on with a run, with more epochs or minutes where asked. Raises InputError or RunError."""
    if out is None:
        raise InputError("resume: name the folder of the run to continue (--out)")
    folder = Path(out)
    old = from_run(read_config(folder))
    if old.task != kind.name:
        raise InputError(f"{folder}: a run of {old.task}, not of {kind.name}")
    if others := sorted(set(options) - {"epochs", "minutes"}):
        raise InputError(f"resume: only epochs and minutes can be changed, not {', '.join(others)}")
    if "epochs" in options and "minutes" not in options:
        options = {**options, "minutes": 0}
    config = changed(old, options)
    events = lines(folder) if (folder / "metrics.jsonl").exists() else []
    _check_goes_on(folder, old, config, events)
    if config.data.source == FRAME and frame is None:
        raise InputError(f"{folder}: trained on a data frame; give the same one again to go on")
    splits = load_splits(config, frame)
    if events and events[0]["data"]["fingerprint"] != fingerprint(splits.train):
        raise RunError(f"{folder}: the training data have changed since it was started; train anew")
    described = Model.describe(folder)
    model = _new_model(config, described.modality, described.known)
    return _fit(folder, config, splits, model, display, events[0]["command"] if events else "")


def _check_goes_on(folder: Path, old: RunConfig, config: RunConfig, events: list[dict[str, Any]]) -> None:
    """Refuses a training that has nothing left to do, or nothing to go on from. Raises InputError or RunError."""
    end = next((e for e in reversed(events) if e["event"] == "end"), None)
    if end and end["reason"] == "diverged":
        raise RunError(_diverged(folder))
    if end and end["reason"] != "interrupted" and config == old:
        raise InputError(
            f"{folder}: its training is complete ({end['reason']}); give more --epochs or --minutes to go on"
        )
    for name, done in (("epochs", end["epoch"]), ("minutes", end["seconds"] / 60)) if end else ():
        if 0 < getattr(config.training, name) <= done:
            raise InputError(f"{folder}: already trained for {done:.4g} {name}; give more --{name} to go on")
    file = folder / CHECKPOINT
    if file.exists():
        checkpoint.read(file)  # before anything is written
    elif end:
        raise RunError(f"{file}: not there, so there is nothing to go on from; train into another folder")


def _fit(folder: Path, config: RunConfig, splits: Splits, model: Model, display: Display, command: str) -> Run:
    settings = config.training
    fabric = make_fabric(settings)
    batches = model.batches(
        splits.train,
        f"{splits.name} (train)",
        tokens=settings.batch_tokens,
        truncation=settings.truncation,
        shuffle=True,
        spread=settings.truncation_spread,
    )
    held_out = None if splits.valid is None else model.evaluation_batches(splits.valid, f"{splits.name} (valid)")
    # The test data too are read before anything is written: a mistake in them must not cost a training.
    split, frame = ("valid", splits.valid) if splits.test is None else ("test", splits.test)
    assert frame is not None
    test = model.evaluation_batches(frame, f"{splits.name} ({split})")
    log = RunLog(folder, display, tensorboard=settings.tensorboard)
    file = folder / CHECKPOINT
    file.parent.mkdir(parents=True, exist_ok=True)
    model.save_description(folder)
    if not file.exists():
        log.rewind(0)
        log.write("start", _start(config, splits, model, batches, command))
    outcome = fit(
        model,
        batches,
        settings,
        objective=model.head.objective,
        validate=lambda: model.measure(held_out, model.head.validation_meter()).metrics() if held_out else {},
        keep=lambda: model.save_weights(folder),
        log=log,
        checkpoint_file=file,
        fabric=fabric,
        seed=config.seed,
    )
    if outcome.best is None or (outcome.reason == "diverged" and settings.weights == "last"):
        raise RunError(_diverged(folder))
    run = load(folder)
    run.splits = splits
    if held_out and run.model.head.calibrate(lambda: run.model.measure(held_out)):
        run.model.save_weights(folder)
    log.write("evaluation", _evaluation(run, splits, split, frame, test))
    run.report()
    return run


def _diverged(folder: Path) -> str:
    return f"{folder}: the loss was no longer a number; lower training.rate or training.clip_norm and train anew"


def _start(
    config: RunConfig, splits: Splits, model: Model, batches: Separate | Streams, command: str
) -> dict[str, Any]:
    frames = {"train": splits.train, "valid": splits.valid, "test": splits.test}
    rows = {split: len(frame) for split, frame in frames.items() if frame is not None}
    return {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "task": config.task,
        "command": command,
        "seed": config.seed,
        "parameters": model.parameter_count,
        "hardware": machine.hardware(),
        "versions": machine.versions(),
        "data": {
            "name": splits.name,
            "rows": rows,
            "tokens": {"train": batches.steps_per_epoch},
            "columns": splits.columns,
            "notes": [*splits.notes, *model.modality.notes(splits.train[model.modality.role])],
            "fingerprint": fingerprint(splits.train),
        },
    }


def _evaluation(
    run: Run, splits: Splits, split: str, frame: "pd.DataFrame", batches: Separate | Streams
) -> dict[str, Any]:
    meter = run.model.measure(batches)
    details = meter.details(frame)
    if beside := meter.beside(frame, splits.train):
        details["beside"] = beside
    if run.model.head.running:
        prompt = str(frame[run.task.roles[0]].iloc[0])[:SAMPLE_PROMPT]
        if run.model.tokens.unknown(prompt):
            prompt = ""
        details["samples"] = [
            {"prompt": prompt, "text": "".join(run.generate(prompt, SAMPLE_TOKENS, temperature=t)), "temperature": t}
            for t in SAMPLE_TEMPERATURES
        ]
    if explained := _explained(run, frame, meter):
        details["explained"] = explained
    details["health"] = _health(run, frame)
    return {"data": splits.name, "split": split, "metrics": meter.metrics(), "details": details}


def _explained(run: Run, frame: "pd.DataFrame", meter: Meter) -> list[dict[str, Any]]:
    """A few rows whose steps a person can read, with what their predictions rest on and what was wanted."""
    telling = meter.telling(frame)
    if not (telling and isinstance(run.model.modality, Tokens)):
        return []
    found = run.predict(list(frame[run.model.modality.role].iloc[list(telling)]), explain=True)
    return [_short({**one, "wanted": wanted}) for one, wanted in zip(found, telling.values(), strict=True)]


def _short(value: Any) -> Any:
    """Plain values with four digits of each number."""
    if isinstance(value, dict):
        return {key: _short(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_short(one) for one in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def _health(run: Run, frame: "pd.DataFrame") -> list[dict[str, Any]]:
    """How gradients flow through each layer, over the beginnings of a few rows."""
    rows = run.model.modality.encode_all(list(frame[run.model.modality.role])[:HEALTH_ROWS])
    found = health(run.model, Ragged.from_list([row[:HEALTH_STEPS] for row in rows.unbind()]))
    return [
        {
            "name": layer.name.removeprefix("trunk.layers."),
            "cell": layer.cell,
            "flow": [float(f"{norm:.4g}") for norm in layer.flow],
            "memory": layer.memory if math.isfinite(layer.memory) else None,
            "saturated": layer.saturated,
        }
        for layer in found.layers
    ]
