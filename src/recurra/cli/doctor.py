"""recurra doctor"""

from pathlib import Path
from typing import Annotated

import typer

EXAMPLE = "recurra doctor runs/reviews"


def doctor(
    run: Annotated[Path | None, typer.Argument(help="A run folder, to see which kernels its layers take.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Tells what this machine offers, and tries whether kernels compile, run and are right on it.

    Exits with 1 if anything that is tried fails.
    """
    from dataclasses import asdict

    from recurra import doctor, kernels, runs
    from recurra.cli._output import print_json

    layers = kernels(runs.load(run).model) if run else None
    machine, checks = doctor.machine(), []
    if not json:
        for name, value in machine.items():
            print(f"{name:<14} {value}")
        print()
    for check in doctor.checks():
        checks.append(check)
        if not json:
            print(f"{'ok' if check.ok else 'FAILED':<7}{check.name:<24} {check.detail}", flush=True)
    if json:
        found = {} if layers is None else {"kernels": [asdict(layer) for layer in layers]}
        print_json({"machine": machine, "checks": [asdict(check) for check in checks], **found})
    elif layers is not None:
        print(f"\n{layers}")
    if not all(check.ok for check in checks):
        raise typer.Exit(1)
