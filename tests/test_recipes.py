"""Every recipe is what its own command says, of settings that there are."""

import shlex
from pathlib import Path

import pytest

from recurra.datasets import DATASETS
from recurra.runs.config import changed, defaults, read_settings
from recurra.tasks import TASKS

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.toml"))


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_a_recipe_sets_what_there_is_to_set_for_the_task_and_the_data_of_its_command(recipe: Path) -> None:
    comment = next(line for line in recipe.read_text().splitlines() if line.startswith("#   recurra train "))
    _, _, task, data, option, file, *_ = shlex.split(comment[1:])
    assert (option, file) == ("--config", f"recipes/{recipe.name}")
    settings = read_settings(recipe)
    assert settings.pop("task") == task
    given = {**DATASETS.get(data).defaults, **settings}
    base = defaults(TASKS.get(task))
    assert changed(base, given) != base


def test_there_are_recipes() -> None:
    assert RECIPES
