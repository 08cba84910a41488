"""What a report says, and the page it says it on."""

from pathlib import Path
from typing import Any

from recurra.errors import RunError
from recurra.files import atomic
from recurra.model import read_config
from recurra.report import explained, facts, tables, words
from recurra.report.events import Events, read


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

    from recurra.report import charts

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
        charts=charts.training(config, events),
        beside=tables.beside(events, details.get("beside", {})),
        verdict=details.get("verdict", ""),
        forecasts=charts.forecasts(details),
        samples=details.get("samples", []),
        examples=[
            [tables.cut(row[key]) for key in ("text", "wanted", "written")] for row in details.get("examples", [])
        ],
        attention=charts.attention(details),
        contributions=explained.contributions(details.get("explained", []), config),
        tagged=explained.tagged(details.get("explained", []), config),
        agreement=charts.agreement(details.get("agreement")),
        asked=tables.asked(details.get("asked", [])),
        timeline=charts.timeline(details.get("timeline")),
        confusion=tables.confusion(details["labels"], details["confusion"]) if "confusion" in details else None,
        spans=tables.spans(details.get("spans", [])),
        worst=tables.worst(details),
        cards=[
            ("Data", facts.data(start["data"]), start["data"]["notes"]),
            ("Model", facts.model(config, start), []),
            ("Training", facts.training(config.get("training", {}), start), []),
            ("Run", facts.run(events), []),
        ],
        command=start["command"],
        versions=start["versions"],
        configuration=(folder / "config.toml").read_text(encoding="utf-8"),
    )


def _lede(config: dict[str, Any], events: Events) -> str:
    last = events.last
    model = f"{facts.layers(config.get('trunk', {}))}, {events.start['parameters']:,} parameters"
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


def _where(split: str, data: str) -> str:
    held_out = {"test": f"Test set of {data}", "valid": f"Validation set of {data} (there is no test set)"}
    return held_out.get(split, f"{data} ({split})")
