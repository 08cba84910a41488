"""What a report says, and the page it says it on."""

from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.files import atomic
from recurra.model import read_config
from recurra.report import explained, words
from recurra.report.events import Event, Events, read

# A matrix with more labels than this shows colours without numbers; with more than that, only its worst confusions.
LABELS_WITH_NUMBERS = 12
LABELS_SHOWN = 60
MOST_CONFUSIONS = 10
LONGEST_TEXT = 400

ENDINGS = {
    "epochs": "all epochs done",
    "minutes": "time was up",
    "early stopping": "stopped early: no more improvement",
    "interrupted": "interrupted",
    "diverged": "stopped: the loss was no longer a number",
}

Fact = tuple[str, str]


def build(folder: str | Path) -> Path:
    """Writes ``report.html`` into a run folder, from its config.toml and metrics.jsonl, and returns its path.

    The page needs nothing but itself: no script, font, image or style from elsewhere. A training that was
    interrupted, or still runs, is reported as far as it got. The file is written whole or not at all.

    Raises MissingFileError where there is no such folder, RunError where it is not a run's or cannot be written.

    >>> from recurra import report
    >>> report.build("runs/demo")                              # doctest: +SKIP
    PosixPath('runs/demo/report.html')
    """
    folder = Path(folder)
    html = render(folder, read_config(folder), read(folder))
    target = folder / "report.html"
    try:
        with atomic(target) as path:
            path.write_text(html, encoding="utf-8")
    except OSError as error:
        raise RunError(f"{target}: cannot be written ({error.strerror})") from None
    return target


def render(folder: Path, config: dict[str, Any], events: Events) -> str:
    """The page. folder: named in the page, and where config.toml is shown from."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": words.number, "percent": words.percent, "name": words.name}
    start, details = events.start, (events.evaluation or {}).get("details", {})
    return environment.get_template("page.html").render(
        title=f"{words.name(start['task']).capitalize()} on {start['data']['name']}",
        run=folder.name or str(folder),
        lede=_lede(config, events),
        warning=_warning(folder, events),
        headline=_headline(events),
        charts=_charts(config, events),
        beside=_beside(events, details.get("beside", {})),
        verdict=details.get("verdict", ""),
        forecasts=_forecasts(details),
        samples=details.get("samples", []),
        examples=[[_cut(row[key]) for key in ("text", "wanted", "written")] for row in details.get("examples", [])],
        attention=_attention(details),
        contributions=explained.contributions(details.get("explained", []), config),
        tagged=explained.tagged(details.get("explained", []), config),
        timeline=_timeline(details.get("timeline")),
        confusion=_confusion(details["labels"], details["confusion"]) if "confusion" in details else None,
        spans=_spans(details.get("spans", [])),
        worst=_worst(details),
        cards=[
            ("Data", _data(start["data"]), start["data"]["notes"]),
            ("Model", _model(config, start), []),
            ("Training", _training(config.get("training", {}), start), []),
            ("Run", _run(events), []),
        ],
        command=start["command"],
        versions=start["versions"],
        configuration=(folder / "config.toml").read_text(encoding="utf-8"),
    )


def _lede(config: dict[str, Any], events: Events) -> str:
    last = events.last
    model = f"{_layers(config.get('trunk', {}))}, {events.start['parameters']:,} parameters"
    if last is None:
        return f"{model}. No step was logged."
    tokens = f", {events.steps[-1]['tokens']:,} tokens" if events.steps else ""
    return f"{model}. {last['step']:,} steps ({last['epoch']:.3g} epochs{tokens}) in {words.duration(last['seconds'])}."


def _warning(folder: Path, events: Events) -> str:
    """One sentence where the training did not come to its own end."""
    reason = events.end["reason"] if events.end else None
    if reason == "diverged":
        return (
            "The loss was no longer a number and the training stopped; the best weights before that are kept. "
            "A lower training.rate may help."
        )
    if reason not in (None, "interrupted"):
        return ""
    state = "was interrupted" if reason else "still runs, or was stopped by force: its log has no end"
    return f"The training {state}. Continue it with: recurra train {events.start['task']} --out {folder} --resume"


def _headline(events: Events) -> dict[str, Any]:
    """The figures to show large: of the evaluation, else of the best validation, else the last training loss."""
    best = events.best["metrics"] if events.best else {}
    if events.evaluation:
        e = events.evaluation
        beside = best if e["split"] != "valid" else {}
        figures = [(name, value, beside.get(name)) for name, value in e["metrics"].items()]
        return {"where": _where(e["split"], e["data"]), "figures": figures}
    if best:
        return {"where": "Best validation so far", "figures": [(name, value, None) for name, value in best.items()]}
    if events.steps:
        return {"where": "Last training steps", "figures": [("loss, nats", events.steps[-1]["loss"], None)]}
    return {"where": "", "figures": []}


def _beside(events: Events, beside: dict[str, dict[str, float]]) -> dict[str, Any] | None:
    """The figures as a table, this model's and those of what one could use instead."""
    if not (events.evaluation and beside):
        return None
    rows = [
        (
            words.name(metric),
            *(words.number(way[metric]) if metric in way else "" for way in (figures, *beside.values())),
        )
        for figures in [events.evaluation["metrics"]]
        for metric in figures
    ]
    return {"heads": ("on the same rows", "this model", *beside), "rows": rows}


def _where(split: str, data: str) -> str:
    held_out = {"test": f"Test set of {data}", "valid": f"Validation set of {data} (there is no test set)"}
    return held_out.get(split, f"{data} ({split})")


def _charts(config: dict[str, Any], events: Events) -> list[dict[str, Any]]:
    """Title, note, legend and drawings of each chart. A drawing: (class that says at what width it is shown, SVG)."""
    from markupsafe import Markup

    from recurra.report import figures

    if not events.steps:
        return []
    metrics = events.valid[-1]["metrics"] if events.valid else {}
    # A number's errors and nats are in its own unit, and the training loss is not: they share no axis.
    errors = [name for name in ("rmse", "mae") if name in metrics]
    loss = None if errors else next((name for name in metrics if name.startswith("nats")), None)
    scores = [n for n in metrics if not n.startswith(("nats", "bits", "perplexity"))]
    scores = errors or [n for n in scores if all(0 <= v["metrics"].get(n, 0) <= 1 for v in events.valid)][:3]
    unit = {"nats": "nats per row", None: "nats per target"}.get(loss, words.name(str(loss)))
    unit = f"{unit}, logarithmic"
    narrow = figures.loss(events, loss, unit, 440, 290)
    legend = [("train", "training"), *[("valid", "validation, ring: best")] * bool(loss)]
    charts = [_chart("Loss", _loss_note(config), legend, [("", narrow)], half=True)]
    if scores:
        legend = list(zip(("valid", "second", "muted"), map(words.name, scores), strict=False))
        charts.append(_chart("Validation", "", legend, [("", figures.scores(events, scores, 440, 290))], half=True))
    else:
        wide = figures.loss(events, loss, unit, 960, 360, time=True)
        charts[0] = _chart("Loss", charts[0]["note"], legend, [("on-wide", wide), ("on-narrow", narrow)], full=True)
    threshold = float(config.get("training", {}).get("clip_norm", 0))
    legend = [("train", "mean"), ("faint", "largest"), *[("valid", f"clipped to {threshold:g}")] * bool(threshold)]
    small = 320, 220
    charts += [
        _chart(
            "Gradient norm", _clip_note(events, config), legend, [("", figures.gradient(events, threshold, *small))]
        ),
        _chart("Learning rate", "", [], [("", figures.rate(events, *small))]),
        _chart("Speed", "", [], [("", figures.speed(events, *small))]),
    ]
    if layers := _flowing(events):
        legend = list(zip(figures.LAYERS, (f"layer {layer['name']}" for layer in layers), strict=False))
        drawing = figures.flow(layers, 440, 250)
        charts.append(_chart("How far gradients reach back", _flow_note(layers), legend, [("", drawing)], half=True))
    for chart in charts:
        chart["drawings"] = [(where, Markup(svg)) for where, svg in chart["drawings"]]
    return charts


def _worst(details: dict[str, Any]) -> dict[str, Any] | None:
    """A table of the rows that went most wrong: of labels those it was surest of, of numbers the largest errors."""
    if rows := details.get("most_wrong"):
        return {
            "note": "The wrong predictions it was surest of.",
            "heads": ("text", "label", "read as", "probability"),
            "rows": [(_cut(r["text"]), r["label"], r["predicted"], f"{r['probability']:.3f}") for r in rows],
        }
    if rows := details.get("largest_errors"):
        return {
            "note": "The largest errors.",
            "heads": ("row", "number", "predicted"),
            "rows": [(_cut(r["text"]), words.number(r["number"]), words.number(r["predicted"])) for r in rows],
        }
    return None


def _chart(
    title: str,
    note: str,
    legend: list[tuple[str, str]],
    drawings: list[tuple[str, str]],
    *,
    half: bool = False,
    full: bool = False,
) -> dict[str, Any]:
    size = "full" if full else "half" if half else "third"
    return {"title": title, "note": note, "legend": legend, "drawings": drawings, "size": size}


def _forecasts(details: dict[str, Any]) -> list[dict[str, Any]]:
    """Fan charts of a few windows, then the errors by step and by size."""
    from markupsafe import Markup

    from recurra.report import figures

    if not details.get("forecasts"):
        return []
    ways = details["errors_by_step"]
    charts = []
    legend = [("muted", "history"), ("train", "what came"), ("valid", "forecast, 80 and 95 %")]
    for i, one in enumerate(details["forecasts"]):
        first, now, end = (time.replace("T00:00:00", "").replace("T", " ") for time in one["times"])
        note = f"known from {first}, forecast from {now} to {end}"
        charts.append(_chart(one["id"], note, legend, [("", figures.fan(one, i, 440, 250))], half=True))
    steps = figures.errors_by_step(ways, 440, 250)
    charts.append(_chart("Errors by step", "", list(zip(figures.WAYS, ways, strict=False)), [("", steps)], half=True))
    if details["residuals"]["edges"]:
        drawing = figures.residuals(details["residuals"]["edges"], details["residuals"]["shares"], 440, 250)
        charts.append(_chart("Residuals", "The outermost bars hold what lies beyond.", [], [("", drawing)], half=True))
    if wide := details["widths"]:
        first, last = (time.replace("T00:00:00", "").replace("T", " ") for time in wide["times"])
        note = f"{wide['id']}, one step ahead, from {first} to {last}"
        drawing = figures.widths(wide["widths"], 440, 250)
        charts.append(_chart("Width of the 80 % interval", note, [], [("", drawing)], half=True))
    for chart in charts:
        chart["drawings"] = [(where, Markup(svg)) for where, svg in chart["drawings"]]
    return charts


def _attention(details: dict[str, Any]) -> list[Any]:
    """A drawing for each text that was written. The first run folders have these texts by themselves."""
    from markupsafe import Markup

    from recurra.report import figures

    texts = [one for one in details.get("attention", details.get("explained", [])) if "attention" in one]
    return [Markup(figures.attention(one["read"], one["units"], one["attention"])) for one in texts]


def _spans(kinds: list[dict[str, Any]]) -> list[list[str]]:
    """A row for each kind of span."""
    scores, counts = ("f1", "precision", "recall"), ("true", "predicted")
    return [
        [row["kind"], *(f"{row[key]:.3f}" for key in scores), *(words.number(row[key]) for key in counts)]
        for row in kinds
    ]


def _flowing(events: Events) -> list[dict[str, Any]]:
    """The first layers' gradients through time, where they were looked at over more than one step."""
    health = (events.evaluation or {}).get("details", {}).get("health", [])
    return [layer for layer in health if len(layer["flow"]) > 2][:4]


def _flow_note(layers: list[dict[str, Any]]) -> str:
    """How long each layer's memory is, and which gates hardly move any more."""
    parts = []
    for layer in layers:
        reach = f"{layer['memory']:.0f}" if layer["memory"] is not None else f"more than {len(layer['flow']) - 1}"
        stuck = [f"{gate} {share:.0%}" for gate, share in layer["saturated"].items() if share > 0.5]
        parts.append(
            f"layer {layer['name']}: down to 1/e after {reach} steps"
            + (f", mostly saturated: {', '.join(stuck)}" if stuck else "")
        )
    return "; ".join(parts)


def _loss_note(config: dict[str, Any]) -> str:
    shares = [config.get(section, {}).get(key, 0) for section, key in (
        *(("trunk", key) for key in ("dropout", "input_dropout", "recurrent_dropout", "zoneout", "weight_drop")),
        ("head", "dropout"), ("head", "label_smoothing"),
    )]  # fmt: skip
    return "Training loss is taken with dropout on: it may lie above validation." if any(shares) else ""


def _clip_note(events: Events, config: dict[str, Any]) -> str:
    settings = config.get("training", {})
    if not (settings.get("clip_norm") or settings.get("clip_value")):
        return "Gradients were not clipped."
    return f"Clipped in {words.percent(clipped(events))} of the steps."


def clipped(events: Events) -> float:
    """The share of all steps whose gradient was clipped."""
    if events.end:
        return float(events.end["clipped"])
    before = [0, *(e["step"] for e in events.steps[:-1])]
    total = sum(e["clipped"] * (e["step"] - start) for e, start in zip(events.steps, before, strict=True))
    return float(total / events.steps[-1]["step"])


def _confusion(labels: list[str], counts: list[list[int]]) -> dict[str, Any]:
    """Counts with each cell's share of its row, and the most frequent confusions."""
    rows = []
    for label, row in zip(labels, counts, strict=True):
        total = sum(row)
        cells = [(count, count / total if total else 0.0) for count in row]
        rows.append({"label": label, "total": total, "cells": cells})
    wrong = [(counts[i][j], labels[i], labels[j]) for i in range(len(labels)) for j in range(len(labels)) if i != j]
    most = sorted((w for w in wrong if w[0]), reverse=True)[:MOST_CONFUSIONS]
    worst = [(words.number(count), label, predicted) for count, label, predicted in most]
    return {
        "labels": labels,
        "rows": rows if len(labels) <= LABELS_SHOWN else [],
        "numbers": len(labels) <= LABELS_WITH_NUMBERS,
        "worst": worst if len(labels) > LABELS_WITH_NUMBERS else [],
    }


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"


def _data(data: Event) -> list[Fact]:
    tokens = [f"{count:,} {split}" for split, count in data["tokens"].items()]
    return [
        ("data", data["name"]),
        ("rows", ", ".join(f"{count:,} {split}" for split, count in data["rows"].items())),
        ("tokens", ", ".join(tokens)),
        (
            "columns",
            ", ".join(role if role == name else f"{role} from {name}" for role, name in data["columns"].items()),
        ),
    ]


def _timeline(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The drawing of a series with its scores, and what is marked in it."""
    if not found:
        return None
    from markupsafe import Markup

    from recurra.report import figures

    return {
        "svg": Markup(figures.timeline(found, 960, 320)),
        "alarms": len(found["alarms"]),
        "windows": len(found["windows"]),
        "threshold": found["threshold"],
    }


def _layers(trunk: dict[str, Any]) -> str:
    """The recurrent layers in a few words."""
    ways = ("residual " if trunk.get("residual") else "") + ("bidirectional " if trunk.get("bidirectional") else "")
    cell, hidden = trunk.get("cell", "recurrent"), trunk.get("hidden", "?")
    layers = next((len(value) for value in (cell, hidden) if isinstance(value, list)), trunk.get("layers", 1))
    cell, hidden = (", ".join(map(str, v)) if isinstance(v, list) else str(v) for v in (cell, hidden))
    return f"{layers} {ways}{cell.replace('_', ' ').upper()} layer{'s' * (layers != 1)} of {hidden} units"


def _model(config: dict[str, Any], start: Event) -> list[Fact]:
    trunk, modality = config.get("trunk", {}), config.get("modality", {})
    unit = f", in units of {modality['unit']}" if "unit" in modality else ""
    dropout = [
        f"{section.get(key, 0):g} {place}"
        for section, key, place in (
            (trunk, "input_dropout", "input"),
            (trunk, "dropout", "layers"),
            (trunk, "recurrent_dropout", "recurrence"),
            (trunk, "zoneout", "states (zoneout)"),
            (trunk, "weight_drop", "recurrent weights"),
            (config.get("head", {}), "dropout", "head"),
        )
        if section.get(key)
    ]
    return [
        ("input", f"{config['input']}{unit}"),
        ("layers", _layers(trunk)),
        ("output", config["output"]),
        ("dropout", ", ".join(dropout) or "none"),
        ("parameters", f"{start['parameters']:,}"),
    ]


def _training(settings: dict[str, Any], start: Event) -> list[Fact]:
    limits = [f"{settings[k]:g} {k}" for k in ("epochs", "minutes") if settings.get(k)]
    batch = f"{settings.get('batch_tokens', 0):,} tokens"
    facts = [
        ("optimiser", f"{settings.get('optimizer')}, rate {settings.get('rate')}, {settings.get('schedule')}"),
        ("batch", batch),
        ("weight decay", f"{settings.get('weight_decay', 0):g}"),
        ("length", " or ".join(limits)),
        ("seed", str(start["seed"])),
    ]
    return facts if settings else facts[-1:]


def _run(events: Events) -> list[Fact]:
    start, last = events.start, events.last
    hardware, versions = start["hardware"], start["versions"]
    facts = [("started", start["time"].replace("T", " ").replace("+00:00", " UTC"))]
    if last:
        ended = f" ({ENDINGS.get(events.end['reason'], events.end['reason'])})" if events.end else ""
        facts.append(("time", f"{words.duration(last['seconds'])}{ended}"))
    if events.steps and events.steps[-1]["seconds"]:
        speed = events.steps[-1]["tokens"] / events.steps[-1]["seconds"]
        facts.append(("speed", f"{speed:,.0f} tokens a second, validation included"))
    if events.best:
        facts.append(("best weights", f"step {events.best['step']:,}, epoch {events.best['epoch']:.3g}"))
    size = f"{hardware['cores']} cores, {hardware['threads']} threads, {hardware['memory_gb']:g} GB"
    device = [("device", hardware["device"])] if hardware["device"] != "cpu" else []
    return [
        *facts,
        *device,
        ("processor", hardware["cpu"]),
        ("machine", size),
        ("versions", ", ".join(f"{name} {version}" for name, version in versions.items())),
    ]
