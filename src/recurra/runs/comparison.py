"""Several cells trained on the same data, with equally many parameters and the same budget."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from recurra.cells import CELLS, Cell
from recurra.datasets import Splits
from recurra.errors import InputError, RunError
from recurra.heads import Objective
from recurra.model import Model, read_config
from recurra.notes import pass_on
from recurra.report.events import read
from recurra.runs.config import RunConfig, changed, defaults, from_run
from recurra.runs.engine import begin, collected, configured, learnt, train
from recurra.runs.log import Display, Silent
from recurra.runs.run import FRAME, Run, load, load_splits
from recurra.tasks import TASKS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Compared:
    """What came of one cell. metrics: of the evaluation at the end of the training, by name; none where it failed.

    hidden: units of a layer, so many that ``parameters`` come closest to all others'. objective: the metric that tells
    which is better, None where it failed. minutes: of the training. reason: how it ended. without: settings that were
    asked for and that this cell has no part for. run: its folder.
    """

    cell: str
    hidden: int
    parameters: int
    metrics: dict[str, float]
    objective: Objective | None
    minutes: float
    reason: str
    without: tuple[str, ...]
    run: str


def compare(
    task: str,
    data: "str | Path | pd.DataFrame | None" = None,
    *,
    cells: Sequence[str],
    parameters: int = 0,
    out: str | Path | None = None,
    config: str | Path | None = None,
    resume: bool = False,
    settings: Mapping[str, Any] | None = None,
    display: Display | None = None,
    tell: Callable[[str], object] | None = None,
    **options: Any,
) -> Iterator[Compared]:
    """Trains a task once with each cell and gives what came of it, one after the other.

    Everything is the same for all: data, seed, settings, and the number of parameters, for which each cell's hidden
    units are chosen. cells: names from ``recurra.cells``. parameters: about how many each model has; 0: as many as the
    first cell's with the hidden units that the settings say. out: a folder for the runs, one a cell; None:
    ``runs/TASK-compared``. resume: runs that are already there are taken, or gone on with. tell: gets a sentence for
    each cell that begins. The rest as for ``train``.

    Raises InputError, MissingFileError or RunError, all that can be known beforehand before the first training.

    >>> import recurra
    >>> for found in recurra.compare("topic", "tickets.csv", cells=["gru", "lstm"]):  # doctest: +SKIP
    ...     print(found.cell, found.metrics["accuracy"])
    """
    kind, tell, display = TASKS.get(task), tell or (lambda sentence: None), display or Silent()
    frame = None if data is None or isinstance(data, str | Path) else data
    wanted = collected(kind, config, {**(settings or {}), **options})
    if data is not None:
        wanted["data.source"] = str(data) if frame is None else FRAME
    folder = Path(out) if out else Path("runs") / f"{kind.name}-compared"
    if folder.exists() and not resume and (not folder.is_dir() or any(folder.iterdir())):
        raise RunError(f"{folder}: already exists; choose another folder, or go on with its runs (resume)")
    if len(set(cells)) < max(1, len(cells)):
        raise InputError(f"cells: expected names, each once, got {', '.join(cells) or 'none'}")
    splits = load_splits(changed(defaults(kind), wanted), frame)
    if isinstance(display, Silent):
        pass_on(splits.notes)

    plans: list[tuple[str, dict[str, Any], tuple[str, ...], int]] = []
    for name in cells:
        own, without = _fitting(wanted, CELLS.get(name))
        chosen = configured(kind, splits, {**own, "trunk.cell": name})
        if not plans:
            size = _Size(chosen, splits)
            parameters = parameters or size(chosen)
        if isinstance(chosen.trunk.hidden, tuple):
            raise InputError(f"hidden: expected one number, for each cell gets its own, got {chosen.trunk.hidden}")
        hidden = size.hidden(chosen, parameters)
        own |= {"trunk.cell": name, "trunk.hidden": hidden}
        plans.append((name, own, without, size(configured(kind, splits, own))))

    def each() -> Iterator[Compared]:
        for i, (name, own, without, count) in enumerate(plans, 1):
            tell(f"[{i}/{len(plans)}] {name}: {own['trunk.hidden']} hidden units, {count:,} parameters")
            place = folder / name
            try:
                if place.exists():  # which it may with ``resume`` alone
                    run = _there(place, own) or train(task, frame, out=place, resume=True, display=display)
                else:
                    run = begin(kind, own, splits, place, display)
            except RunError as error:
                tell(str(error))
                yield Compared(name, own["trunk.hidden"], count, {}, None, 0.0, str(error), without, str(place))
                continue
            found = _compared(name, run, without)
            yield found
            if found.reason == "interrupted":
                return

    return each()


def _fitting(wanted: dict[str, Any], cell: Cell) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings without those that this cell has no part for, and the names of those."""
    fits = {
        **{f"gate_bias.{gate}": gate in cell.gates for gate in _gates()},
        "chrono": bool(cell.memory),
        "heads": any(declared.heads for declared in cell.params.values()),
    }
    lost = [key for key in wanted if not fits.get(key.removeprefix("trunk."), True)]
    return {key: value for key, value in wanted.items() if key not in lost}, tuple(lost)


def _gates() -> set[str]:
    return {gate for cell in CELLS.all().values() for gate in cell.gates}


class _Size:
    """Counts a model's parameters without making it."""

    def __init__(self, config: RunConfig, splits: Splits):
        self.modality, self.known = learnt(config, splits)

    def __call__(self, config: RunConfig, hidden: int = 0) -> int:
        """hidden: in place of the configuration's, where it is not 0."""
        trunk = replace(config.trunk, hidden=hidden or config.trunk.hidden)
        with torch.device("meta"):
            return Model(replace(config.model, trunk=trunk), self.modality, self.known).parameter_count

    def hidden(self, config: RunConfig, parameters: int) -> int:
        """The hidden units with which a model comes closest to so many parameters. Raises InputError."""
        step = config.trunk.heads
        # A cell that projects needs room for a smaller state.
        least = step * (2 if config.trunk.each[0][0].projects else 1)
        if self(config, least) > parameters:
            raise InputError(
                f"parameters: expected at least {self(config, least):,}, which {config.trunk.cell} has with {least} "
                f"hidden units, got {parameters:,}"
            )
        low, high = least, 2 * least
        while self(config, high) <= parameters:
            low, high = high, 2 * high
        while high - low > step:
            middle = (low + high) // (2 * step) * step
            low, high = (middle, high) if self(config, middle) <= parameters else (low, middle)
        return min(low, high, key=lambda hidden: abs(self(config, hidden) - parameters))


def _there(place: Path, own: dict[str, Any]) -> Run | None:
    """The complete run in a folder; None where it is not complete. Raises RunError where it is another."""
    trunk = from_run(read_config(place)).trunk
    if (trunk.cell, trunk.hidden) != (own["trunk.cell"], own["trunk.hidden"]):
        raise RunError(
            f"{place}: a run of {trunk.cell} with {trunk.hidden} hidden units, not of {own['trunk.cell']} with "
            f"{own['trunk.hidden']}; compare into another folder"
        )
    if not (place / "metrics.jsonl").exists():
        return None
    events = read(place)
    return load(place) if events.evaluation and events.end and events.end["reason"] != "interrupted" else None


def _compared(name: str, run: Run, without: tuple[str, ...]) -> Compared:
    events = read(run.path)
    assert events.end is not None
    assert events.evaluation is not None
    return Compared(
        cell=name,
        hidden=run.config.trunk.each[0][1],
        parameters=events.start["parameters"],
        metrics=events.evaluation["metrics"],
        objective=run.model.head.objective,
        minutes=events.end["seconds"] / 60,
        reason=events.end["reason"],
        without=without,
        run=str(run.path),
    )
