"""Pages that are written from the source say what it does."""

import runpy
from pathlib import Path

import pytest

from recurra.cells import CELLS

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "settings_page.py"))


def test_the_page_is_what_the_script_writes(script):
    written = script["PAGE"].read_text(encoding="utf-8")
    assert written == script["page"](), "run .venv/bin/python scripts/settings_page.py"


def test_the_page_of_cells_is_what_its_script_writes():
    script = runpy.run_path(str(ROOT / "scripts" / "cells_page.py"))
    page = script["PAGE"].read_text(encoding="utf-8")
    assert page == script["page"](), "run .venv/bin/python scripts/cells_page.py"
    assert page.count("<math") == page.count("Weights: ") == page.count("\nChoose it ") == len(CELLS.names())


def test_every_section_has_its_settings(script):
    page = script["page"]()
    for row in (
        "| `training.rate` | number | `0.003` |",
        "| `data.columns` | table of text | empty |",
        "| `modality.unit` | `char`, `word`, `space`, `bpe` | `word` |",
        "| `head.tied` | `true`, `false` | `true` |",
    ):
        assert row in page
