"""recurra bench"""

from dataclasses import asdict
from typing import Annotated

import typer

from recurra.bench import BENCHMARKS, Benchmark, Job, Options, Place, Point, Row, summary

EXAMPLE = "recurra bench layers --quick --cells lstm --threads 1"
NAMES = ", ".join(BENCHMARKS.names())
POINTS = "comma between several; none: the benchmark's own."


def bench(
    names: Annotated[list[str] | None, typer.Argument(help=f"Among {NAMES}; none: all.")] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A few points, a few rounds.")] = False,
    rounds: Annotated[int, typer.Option(help="At each point; 0: the benchmark's own number.")] = 0,
    threads: Annotated[int, typer.Option(min=0, help="Of all sides; 0: as torch has them.")] = 0,
    cells: Annotated[str, typer.Option(help=f"Among rnn, gru, lstm, or for cells any; {POINTS}")] = "",
    modes: Annotated[str, typer.Option(help=f"Of layers, among train, infer; {POINTS}")] = "",
    batch: Annotated[str, typer.Option(help=f"Sequences in a batch; {POINTS}")] = "",
    steps: Annotated[str, typer.Option(help=f"Steps of a sequence; {POINTS}")] = "",
    hidden: Annotated[str, typer.Option(help=f"Hidden units; {POINTS}")] = "",
    jax: Annotated[bool, typer.Option("--jax", help="JAX is a peer of layers too.")] = False,
    compile: Annotated[
        bool, typer.Option("--compile", help="Of cells: their Python under torch.compile is a peer too; takes long.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a point, then the summary.")] = False,
) -> None:
    """Measures Recurra beside its peers: both sides in one process, alternated, median and spread of ratios.

    A ratio is the peer's cost over ours: above 1 we are better.
    """
    chosen = {name: BENCHMARKS.get(name) for name in names or BENCHMARKS.names()}
    sizes = (_numbers("--batch", batch), _numbers("--steps", steps), _numbers("--hidden", hidden))
    options = Options(quick, rounds, _parts(cells), _parts(modes), *sizes, jax, compile)

    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads or before)
    try:
        # All of them first: a mistake in the options must not show after an hour.
        _measure(chosen, {name: benchmark.jobs(options) for name, benchmark in chosen.items()}, json)
    finally:
        torch.set_num_threads(before)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def _numbers(option: str, text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in _parts(text))
    except ValueError:
        raise typer.BadParameter(
            f"expected numbers with commas between them, got {text!r}", param_hint=option
        ) from None


def _measure(benchmarks: dict[str, Benchmark], jobs: dict[str, list[Job]], json: bool) -> None:
    from recurra.bench import _onnx
    from recurra.cli._output import print_json, say
    from recurra.runs.machine import hardware, versions

    machine = {**hardware(), **versions()}
    say(", ".join(f"{name} {value}" for name, value in machine.items()))
    if not _onnx.installed():
        say("ONNX Runtime is not installed and so no peer: pip install 'recurra[export]'")
    if json:
        print_json({"machine": machine})
    for name, benchmark in benchmarks.items():
        points: list[Point] = []
        for i, job in enumerate(jobs[name]):
            say(f"[{name} {i + 1}/{len(jobs[name])}] {job.label}")
            for point in job.measure():
                points.append(point)
                _print_point(name, point, json)
        _print_summary(name, summary(points, benchmark.targets), json)


def _print_point(name: str, point: Point, json: bool) -> None:
    from recurra.cli._output import print_json

    if json:
        value = {**asdict(point.value), "unit": point.unit, "peer": point.peer}
        print_json({"benchmark": name, "group": point.group, "place": point.place, **value})
    else:
        against = f" against {point.peer}" if point.peer else ""
        print(f"{point.group:<26}  {_text(point.place):<20}  {point.value} {point.unit}{against}", flush=True)


def _print_summary(name: str, rows: list[Row], json: bool) -> None:
    from recurra.cli._output import print_json, print_table

    if json:
        print_json({"benchmark": name, "summary": [{**asdict(row), "worst": asdict(row.worst)} for row in rows]})
        return
    print()
    print_table((name, "points", "", "target", "", "worst point"), [_cells(row) for row in rows])
    print(flush=True)


def _cells(row: Row) -> tuple[str, ...]:
    value = f"{row.value:.3g} {row.unit} {'at worst' if row.each else 'in the mean'}"
    target = "" if row.target is None else f"{'at most' if row.at_most else 'at least'} {row.target:g}"
    met = "" if row.met is None else "met" if row.met else "MISSED"
    worst = f"{row.worst.value.median:.3g} at {_text(row.worst.place)}"
    if row.each:
        worst = f"{row.worst.group}, {_text(row.worst.place)}"
    return (f"{row.group}{', every point' if row.each else ''}", str(row.points), value, target, met, worst)


def _text(place: Place) -> str:
    return " ".join(f"{name} {value}" for name, value in place.items())
