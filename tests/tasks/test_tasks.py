"""Conformance of every task in the folder."""

import pytest

from recurra.datasets import DATASETS
from recurra.heads import HEADS
from recurra.modalities import MODALITIES
from recurra.runs.config import defaults
from recurra.tasks import TASKS


@pytest.mark.parametrize("name", TASKS.names())
def test_names_parts_that_exist_and_settings_that_fit(name):
    task = TASKS.get(name)
    assert task.name == name
    modality, head = MODALITIES.get(task.input), HEADS.get(task.output)
    assert task.roles == (modality.role, *head.roles)
    assert task.dataset in DATASETS
    config = defaults(task)
    for path, value in {**task.defaults}.items():
        section, key = path.split(".")
        assert getattr(getattr(config, section), key) == value


@pytest.mark.parametrize("name", TASKS.names())
def test_a_short_budget_and_few_rows_have_their_own_settings(name):
    from recurra.config import override

    task = TASKS.get(name)
    assert override(override(defaults(task), task.few), task.brief) is not None
