"""The command line: ``recurra COMMAND``, one file a command."""

import importlib
import sys
from types import ModuleType

import typer
from typer.exceptions import TyperException

from recurra.errors import RecurraError

COMMANDS = (
    "tasks", "datasets", "train", "compare", "evaluate", "predict", "generate", "chat", "search", "report", "doctor",
    "bench",
)  # fmt: skip


def application() -> typer.Typer:
    """The program with all its commands."""
    app = typer.Typer(
        name="recurra",
        help="Recurrent networks from a file to a trained, explained model.",
        epilog="Example: recurra train sentiment reviews.csv --out runs/reviews",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True)(_version)
    for name in COMMANDS:
        module: ModuleType = importlib.import_module(f"recurra.cli.{name}")
        app.command(name, epilog=f"Example: {module.EXAMPLE}")(getattr(module, name))
    return app


def _version(
    version: bool = typer.Option(False, "--version", help="Show the version and stop.", is_eager=True),
) -> None:
    if version:
        from recurra import __version__

        typer.echo(f"recurra {__version__}")
        raise typer.Exit(0)


def main() -> None:
    """Runs the program. Exits 0 on success, 2 on bad usage or input with one line of explanation, 130 on Ctrl-C."""
    try:
        code = application()(standalone_mode=False)
    except RecurraError as error:
        _fail(str(error))
    except TyperException as error:
        message = error.format_message()
        # Asked for nothing: the help has been shown, which is no mistake to explain.
        _fail(" ".join(message.split()) if message else None)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


def _fail(message: str | None) -> None:
    if message:
        sys.stderr.write(f"recurra: {message}\n")
    sys.exit(2)
