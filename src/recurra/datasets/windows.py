"""From series in time to windows to train on, to choose the best weights by, and to test with.

Parts follow each other in time: what is forecast in one lies after all that was forecast in the part before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recurra.datasets.frequency import DAY
from recurra.datasets.load import DataConfig, Splits, tables_of
from recurra.datasets.panel import PARTS, Panel, panel_of
from recurra.datasets.tables import frame_of, read_table
from recurra.errors import InputError
from recurra.timeline import Window

if TYPE_CHECKING:
    pass

# About so many training windows are enough, as long as no step is forecast in none of them.
ENOUGH = 10_000
LEAST_STEPS = 24


@dataclass(frozen=True)
class Timing:
    """How windows lie in time, in steps; 0, and an empty frequency: found in the data.

    frequency: as ``Frequency.parse`` reads it. season: after which series repeat. horizon: forecast at once. steps:
    read before. stride: between the windows to train on and to validate. every: between those of the test.
    """

    frequency: str
    season: int
    horizon: int
    steps: int
    stride: int
    every: int


def load_windows(
    config: DataConfig,
    timing: Timing,
    default_dataset: str = "",
    frame: Any = None,
    familiar: Mapping[str, str] | None = None,
) -> Splits:
    """The windows of each part in a column ``y``; what was found in the data is in ``defaults``. As ``load``.

    frame: a pandas or polars frame instead of ``config.source``; familiar: role to a column that is taken where the
    data have it. Parts of their own are used as they are; what is missing is cut from the end of each series, whole
    horizons that come to about ``valid_fraction`` and ``test_fraction``, and one at least.
    """
    source = frame if frame is not None else config.source or default_dataset
    name, tables, dataset = tables_of(source, config.encoding, config.header, "lines")
    for part, path in (("valid", config.valid), ("test", config.test)):
        if path:
            tables[part] = read_table(Path(path), config.encoding, config.header, "lines")
    defaults = dict(dataset.defaults) if dataset else {}
    timing = with_defaults(timing, defaults)
    known = {**(dataset.columns if dataset else {}), **(familiar or {})}
    # The frequency must be known before the horizon can be.
    panel = panel_of(tables, name, config.columns, timing.frequency, timing.horizon, known)
    season = timing.season or panel.frequency.season
    weekly = panel.frequency.unit in ("min", "h") and season * panel.frequency.seconds == DAY
    horizon = timing.horizon or max(season, 2)
    if not timing.horizon:
        panel = panel_of(tables, name, config.columns, timing.frequency, horizon, known)
    steps = timing.steps or max(2 * season, 2 * horizon, LEAST_STEPS)
    cutter = _Cutter(panel, season, horizon, steps, timing.every or horizon)
    rows, stride = cutter.cut(config, timing.stride)
    found: dict[str, object] = {
        "modality.frequency": str(panel.frequency),
        "modality.season": season,
        "head.horizon": horizon,
        "modality.steps": steps,
        "modality.stride": stride,
        "modality.every": timing.every or horizon,
        "modality.lags": (season, 7 * season) if weekly else (season,),
    }
    says = [f"a step each {panel.frequency.words}", f"season {season}", f"horizon {horizon}", f"{steps} steps read"]
    notes = [*panel.notes, f"{name}: {len(panel.lines):,} series, {', '.join(says)}", *cutter.notes]
    frames = {part: frame_of({"y": windows}) for part, windows in rows.items()}
    test = frames.get("test")
    settled = {"modality.frequency": str(panel.frequency)}
    return Splits(
        name, frames["train"], frames["valid"], test, panel.columns, notes, {**found, **defaults}, settled=settled
    )


def with_defaults(timing: Timing, defaults: Mapping[str, object]) -> Timing:
    """What is not chosen as a data set has it."""
    of = {name: f"modality.{name}" for name in vars(timing)} | {"horizon": "head.horizon"}
    found: dict[str, Any] = {name: value or defaults.get(of[name], value) for name, value in vars(timing).items()}
    return Timing(**found)


def last_windows(panel: Panel, horizon: int, steps: int, needed: int = 0, where: str = "") -> list[Window]:
    """One window for each series, of what comes after all that is known.

    Raises InputError where a covariate of the future is not known for ``needed`` steps (0: the horizon). where: what
    was to have it, if not the panel itself.
    """
    needed = needed or horizon
    for line, known in zip(panel.lines, panel.known, strict=True):
        ahead = line.future[known : known + needed]
        if (ahead != ahead).any():
            step, column = (int(i[0]) for i in (ahead != ahead).nonzero())
            raise InputError(
                f"{where or panel.name}, series {line.id}: {line.names[1][column]} is not known at "
                f"{line.times[known + step]}; give it for each of the {needed} steps to come, in rows with an empty y "
                "or, in Python, in X_df"
            )
    return [Window(line, known, horizon, steps) for line, known in zip(panel.lines, panel.known, strict=True)]


class _Cutter:
    def __init__(self, panel: Panel, season: int, horizon: int, steps: int, every: int):
        self.panel, self.season, self.horizon, self.steps, self.every = panel, season, horizon, steps, every
        self.notes: list[str] = []

    def cut(self, config: DataConfig, stride: int) -> tuple[dict[str, list[Window]], int]:
        """Windows of each part, and the stride of those to train on."""
        shares = {"valid": config.valid_fraction, "test": config.test_fraction}
        given = {part for cuts in self.panel.cuts for part in cuts}
        wanted = {part: share for part, share in shares.items() if part not in given and share}
        bounds = [self._bounds(i, wanted) for i in range(len(self.panel.lines))]
        if not stride:
            possible = sum(max(1, end["train"] - self.horizon) for end in bounds)
            stride = min(self.horizon, max(1, -(-possible // ENOUGH)))
        rows: dict[str, list[Window]] = {part: [] for part in ("train", *wanted, *sorted(given))}
        for i, ends in enumerate(bounds):
            rows["train"] += self._training(i, ends["train"], stride)
            start = ends["train"]
            for part in PARTS[1:]:
                if part in ends:
                    rows[part] += self._held_out(i, start, ends[part], stride if part == "valid" else self.every)
                    start = ends[part]
        for part, windows in rows.items():
            if not windows:
                longest = max(self.panel.known)
                raise InputError(
                    f"{self.panel.name}: no window is left to {'train on' if part == 'train' else f'{part} with'}: the "
                    f"longest series has {longest} steps, and each part needs the horizon of {self.horizon}; give "
                    "longer series or a shorter horizon"
                )
        short = sum("valid" not in ends and "test" not in ends for ends in bounds)
        if short:
            self.notes.append(f"{self.panel.name}: {short:,} series are too short to hold out a part: trained on alone")
        if wanted:
            said = " and ".join(f"{len(rows[part]):,} windows for {part}" for part in wanted)
            self.notes.append(f"{self.panel.name}: {said} cut from the end of the series")
        return rows, stride

    def _bounds(self, i: int, wanted: dict[str, float]) -> dict[str, int]:
        """Part to its end in series i; a series that is too short has no part but ``train``."""
        known, cuts = self.panel.known[i], self.panel.cuts[i]
        ends = {"test": known}
        if "test" in cuts:
            ends["valid"] = cuts["test"]
        elif "test" in wanted:
            ends["valid"] = known - self._whole(known * wanted["test"])
        else:
            ends = {"valid": known}
        if "valid" in cuts:
            ends["train"] = cuts["valid"]
        elif "valid" in wanted:
            ends["train"] = ends["valid"] - self._whole(known * wanted["valid"])
        else:
            ends["train"] = ends.pop("valid")
        if ends["train"] < min(self.season, self.horizon) + 2:
            return {"train": known} if not cuts else {"train": max(1, min(ends.values())), "test": known}
        return ends

    def _whole(self, steps: float) -> int:
        return max(1, int(steps // self.horizon)) * self.horizon

    def _training(self, i: int, end: int, stride: int) -> list[Window]:
        last = end - self.horizon
        least = self.season + 1
        origins = list(range(last, least - 1, -stride)) or [max(1, min(least, end // 2))]
        # A short series' only window ends where its training part does.
        return [w for o in reversed(origins) if (w := self._window(i, o, end)) is not None]

    def _held_out(self, i: int, start: int, end: int, every: int) -> list[Window]:
        origins = list(range(start, end - self.horizon + 1, every)) or [start]
        return [w for o in origins if (w := self._window(i, o, end)) is not None]

    def _window(self, i: int, origin: int, end: int) -> Window | None:
        until = end if end < origin + self.horizon else 0
        window = Window(self.panel.lines[i], origin, self.horizon, self.steps, until)
        wanted, history = window.wanted, window.history
        empty = not len(wanted) or bool((wanted != wanted).all()) or bool((history != history).all())
        return None if empty or origin < 1 else window
