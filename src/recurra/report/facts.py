"""What a report says of a run in a few words: its data, model, training and machine."""

from typing import Any

from recurra.report import words
from recurra.report.events import Event, Events

ENDINGS = {
    "epochs": "all epochs done",
    "minutes": "time was up",
    "early stopping": "stopped early: no more improvement",
    "interrupted": "interrupted",
    "diverged": "stopped: the loss was no longer a number",
}

Fact = tuple[str, str]


def data(found: Event) -> list[Fact]:
    tokens = [f"{count:,} {split}" for split, count in found["tokens"].items()]
    return [
        ("data", found["name"]),
        ("rows", ", ".join(f"{count:,} {split}" for split, count in found["rows"].items())),
        ("tokens", ", ".join(tokens)),
        (
            "columns",
            ", ".join(role if role == name else f"{role} from {name}" for role, name in found["columns"].items()),
        ),
    ]


def model(config: dict[str, Any], start: Event) -> list[Fact]:
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
        ("layers", layers(trunk)),
        ("output", config["output"]),
        ("dropout", ", ".join(dropout) or "none"),
        ("parameters", f"{start['parameters']:,}"),
    ]


def training(settings: dict[str, Any], start: Event) -> list[Fact]:
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


def run(events: Events) -> list[Fact]:
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


def layers(trunk: dict[str, Any]) -> str:
    """The recurrent layers in a few words."""
    ways = ("residual " if trunk.get("residual") else "") + ("bidirectional " if trunk.get("bidirectional") else "")
    cell, hidden = trunk.get("cell", "recurrent"), trunk.get("hidden", "?")
    layers = next((len(value) for value in (cell, hidden) if isinstance(value, list)), trunk.get("layers", 1))
    cell, hidden = (", ".join(map(str, v)) if isinstance(v, list) else str(v) for v in (cell, hidden))
    return f"{layers} {ways}{cell.replace('_', ' ').upper()} layer{'s' * (layers != 1)} of {hidden} units"
