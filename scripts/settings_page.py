"""Writes docs/reference/settings.md from the dataclasses that hold the settings.

.venv/bin/python scripts/settings_page.py
"""

from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints

from recurra.datasets import DATASETS, DataConfig
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.tasks import TASKS
from recurra.tasks.base import BRIEF_MINUTES, FEW_ROWS
from recurra.training import TrainingConfig
from recurra.trunk import TrunkConfig

PAGE = Path(__file__).parent.parent / "docs" / "reference" / "settings.md"

HEAD = """# Settings

<!-- Written by scripts/settings_page.py from the source. Change a setting there, then run the script. -->

Every setting of a run, as its `config.toml` holds them. On the command line a setting is given with
`--set KEY=VALUE`, in Python as an argument, in a recipe (`--config FILE`) under its section. A key is the whole path
(`training.rate`; in Python `training__rate`) or, where only one setting ends in it, the last word (`rate`). An unknown
key is an error that names the nearest one. What counts, from weakest to strongest: the defaults below, the task's, its
own for few rows, the data set's, those for brief trainings, a recipe, what you say.

`seed` (default 0), which stands in no section, is the seed of everything random but the split of the data.
"""


def page() -> str:
    """The whole page."""
    parts = [HEAD, _section("data", "where the rows come from", DataConfig)]
    parts += [_section("modality", f"input `{n}`", m.config) for n, m in MODALITIES.all().items()]
    parts += [_section("trunk", "the recurrent layers", TrunkConfig)]
    parts += [_section("head", f"output `{n}`", h.config) for n, h in HEADS.all().items()]
    parts += [_section("training", "the loop", TrainingConfig), _tasks(), _datasets()]
    return "\n".join(parts)


def _section(name: str, of: str, config: Any) -> str:
    hints = get_type_hints(config)
    rows = [f"| `{name}.{f.name}` | {_kind(hints[f.name])} | {_default(f)} | {_help(f)} |" for f in fields(config)]
    return "\n".join(
        [f"## {name}: {of}\n", "| setting | value | default | what it does |", "|---|---|---|---|", *rows, ""]
    )


def _kind(hint: Any) -> str:
    """An annotation in a reader's words."""
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        return ", ".join(f"`{a}`" for a in args)
    if origin is UnionType:
        return " or ".join(_kind(a) for a in args)
    if origin is tuple:
        return f"list of {_kind(args[0])}s"
    if origin is dict:
        return f"table of {_kind(args[1])}"
    return {bool: "`true`, `false`", int: "whole number", float: "number", str: "text"}[hint]


def _default(f: Field[Any]) -> str:
    if f.default is MISSING:
        return "empty"
    return (
        f"`{str(f.default).lower()}`"
        if isinstance(f.default, bool)
        else f"`{f.default}`"
        if f.default != ""
        else "empty"
    )


def _help(f: Field[Any]) -> str:
    return str(f.metadata["help"]).replace("|", "\\|")


def _tasks() -> str:
    lines = [
        "## What the tasks set\n",
        f"| task | settings | of at most {FEW_ROWS:,} rows | in at most {BRIEF_MINUTES:g} minutes |",
        "|---|---|---|---|",
    ]
    tasks = TASKS.all().items()
    lines += [f"| `{n}` | {_pairs(t.defaults)} | {_pairs(t.few)} | {_pairs(t.brief)} |" for n, t in tasks]
    return "\n".join([*lines, ""])


def _datasets() -> str:
    lines = ["## What the data sets set\n", "| data set | settings |", "|---|---|"]
    lines += [f"| `{d.name}` | {_pairs(dict(d.defaults))} |" for d in DATASETS.all().values() if d.defaults]
    return "\n".join([*lines, ""])


def _pairs(settings: dict[str, object]) -> str:
    return "<br>".join(f"`{k}` = `{str(v).lower()}`" for k, v in settings.items()) or "the same"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(PAGE)
