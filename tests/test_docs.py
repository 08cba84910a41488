"""What the documentation shows does run, and its reference leaves nothing out."""

import contextlib
import re
from pathlib import Path

import pytest
import yaml
from typer.main import get_command

from recurra.cli import application
from recurra.tasks import TASKS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
BLOCK = re.compile(r"(?P<mark><!-- no-run -->\n)?```python\n(?P<code>.*?)```", re.DOTALL)


def blocks(page: Path) -> list[str]:
    """A page's python examples, each with its line numbers, but for those marked not to be run."""
    text = page.read_text(encoding="utf-8")
    found = [m for m in BLOCK.finditer(text) if not m["mark"]]
    return ["\n" * text.count("\n", 0, m.start("code")) + m["code"] for m in found]


PAGES = [page for page in sorted(DOCS.rglob("*.md")) if blocks(page)]


@pytest.fixture
def folder(tmp_path):
    words = {"up": ("fine", "great", "lovely"), "down": ("awful", "dull", "poor")}
    rows = [f"a {words[label][i % 3]} film {i},{label}" for i in range(30) for label in words]
    (tmp_path / "reviews.csv").write_text("review,stars\n" + "\n".join(rows) + "\n")
    asked = [f"where is room {i},room {i} is on floor {i % 3}" for i in range(30)]
    (tmp_path / "questions.csv").write_text("question,answer\n" + "\n".join(asked) + "\n")
    (tmp_path / "text.txt").write_text("".join(f"the cat sat on the mat {i}\n" for i in range(60)))
    names = ("Ada", "Rome", "Mary Ann")
    tags = ("B-PER", "B-LOC", "B-PER I-PER")
    sentences = [
        [(f"I{i}", "O"), ("saw", "O"), *zip(names[i % 3].split(), tags[i % 3].split(), strict=True)] for i in range(30)
    ]
    lines = ("".join(f"{word} {tag}\n" for word, tag in sentence) for sentence in sentences)
    (tmp_path / "names.conll").write_text("\n".join(lines))
    with contextlib.chdir(tmp_path):
        yield tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_examples_run_from_the_top_of_their_page(page, folder, capsys):
    names: dict[str, object] = {"__name__": "example"}
    for code in blocks(page):
        exec(compile(code, str(page), "exec"), names)


def test_there_are_examples_for_every_task():
    assert {page.stem for page in PAGES} >= set(TASKS.names())


def test_the_command_line_page_names_every_command_and_option():
    text = (DOCS / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = {part.split("\n", 1)[0]: part for part in text.split("## recurra ")[1:]}
    commands = get_command(application()).commands  # type: ignore[attr-defined]
    assert set(sections) == set(commands)
    for name, command in commands.items():
        options = {option for p in command.params for option in p.opts if option.startswith("--")} - {"--help"}
        assert options == set(re.findall(r"^\|? ?`(--[\w-]+)", sections[name], re.MULTILINE)), name


def test_every_page_is_in_the_navigation():
    class Loader(yaml.SafeLoader):
        """Reads what it does not know as nothing."""

    Loader.add_multi_constructor("", lambda loader, suffix, node: None)
    navigation = str(yaml.load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"), Loader)["nav"])
    assert all(str(page.relative_to(DOCS)) in navigation for page in DOCS.rglob("*.md"))
