"""The charts of a report: what each one shows, with its note and legend."""

from typing import Any

from markupsafe import Markup

from recurra.report import figures, words
from recurra.report.events import Events


def training(config: dict[str, Any], events: Events) -> list[dict[str, Any]]:
    """How the training went: loss, validation, gradients, rate, speed, and how far gradients reach back."""
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
        charts[0] = _chart("Loss", _loss_note(config), legend, [("on-wide", wide), ("on-narrow", narrow)], full=True)
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
    return charts


def forecasts(details: dict[str, Any]) -> list[dict[str, Any]]:
    """Fan charts of a few windows, then the errors by step and by size."""
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
    return charts


def attention(details: dict[str, Any]) -> list[Any]:
    """A drawing for each text that was written. The first run folders have these texts by themselves."""
    texts = [one for one in details.get("attention", details.get("explained", [])) if "attention" in one]
    return [Markup(figures.attention(one["read"], one["units"], one["attention"])) for one in texts]


def agreement(found: dict[str, list[float]] | None) -> Any:
    """The drawing of what is true and what was said."""
    return Markup(figures.agreement(**found, width=560, height=400)) if found else None


def timeline(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """The drawing of a series with its scores, and what is marked in it."""
    if not found:
        return None
    return {
        "svg": Markup(figures.timeline(found, 960, 320)),
        "alarms": len(found["alarms"]),
        "windows": len(found["windows"]),
        "threshold": found["threshold"],
    }


def _chart(
    title: str,
    note: str,
    legend: list[tuple[str, str]],
    drawings: list[tuple[str, str]],
    *,
    half: bool = False,
    full: bool = False,
) -> dict[str, Any]:
    """A drawing: (class that says at what width it is shown, SVG)."""
    size = "full" if full else "half" if half else "third"
    safe = [(where, Markup(svg)) for where, svg in drawings]
    return {"title": title, "note": note, "legend": legend, "drawings": safe, "size": size}


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
    return f"Clipped in {words.percent(_clipped(events))} of the steps."


def _clipped(events: Events) -> float:
    """The share of all steps whose gradient was clipped."""
    if events.end:
        return float(events.end["clipped"])
    before = [0, *(e["step"] for e in events.steps[:-1])]
    total = sum(e["clipped"] * (e["step"] - start) for e, start in zip(events.steps, before, strict=True))
    return float(total / events.steps[-1]["step"])
