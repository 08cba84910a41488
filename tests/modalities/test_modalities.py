"""What every modality must do, over the modalities that there are."""

import json
from typing import Any

import numpy as np
import pytest
import torch

from recurra.modalities import MODALITIES, Modality
from recurra.sequences import Ragged
from recurra.timeline import Timeline, Window

# A few rows of each modality, none of them empty, and a new one needs its own here.
LINE = Timeline("a", np.arange(30), np.r_[np.nan, np.sin(np.arange(29.0)) + 2], *[np.arange(30.0)[:, None]] * 2)
ROWS: dict[str, list[Any]] = {
    "panel": [Window(LINE, 20, 4, 12), Window(LINE, 3, 4, 12)],
    "series": [[[0.5, 2.0], [1.5, -1.0]], [[3.0, 0.25]]],
    "signal": [[[0.5, 2.0], [1.5, -1.0]], [[3.0, 0.25]]],
    "symbols": ["ACGTN", "ga", "T"],
    "text": ["A first text.", "and\na second", "x", ["a", "divided", "text"]],
}

# Settings beside the default ones that make another encoder.
SETTINGS: dict[str, dict[str, Any]] = {
    "series": {"jitter": 0.1, "scaling": 0.1, "warp": 0.2},
    "symbols": {"strands": "both"},
    "panel": {"scale": "ratio", "season": 4, "around": "season", "lags": (4, 8)},
    "text": {"characters": 2, "capitals": 2, "rare_dropout": 0.5, "lower": True},
}


@pytest.fixture(params=MODALITIES.names())
def kind(request: pytest.FixtureRequest) -> type[Modality]:
    found: type[Modality] = MODALITIES.get(str(request.param))
    return found


@pytest.fixture
def name(kind: type[Modality]) -> str:
    return next(name for name, found in MODALITIES.all().items() if found is kind)


@pytest.fixture
def rows(name: str) -> list[Any]:
    return ROWS[name]


@pytest.fixture(params=["rows apart", "running", "other settings"])
def modality(kind: type[Modality], name: str, rows: list[Any], request: pytest.FixtureRequest) -> Modality:
    settings = SETTINGS.get(name, {}) if request.param == "other settings" else {}
    return kind.fit(kind.config(**settings), rows, request.param == "running")


def test_it_declares_its_settings_and_its_column(kind: type[Modality]) -> None:
    assert kind.config() == kind.config()
    assert kind.role.isidentifier()


def test_rows_alone_and_together_are_the_same(modality: Modality, rows: list[Any]) -> None:
    together = modality.encode_all(rows)
    assert isinstance(together, Ragged)
    assert len(together) == len(rows)
    for row, sequence in zip(rows, together.unbind(), strict=True):
        assert torch.equal(modality.encode(row), sequence)


def test_as_it_might_have_come_it_has_the_same_steps(modality: Modality, rows: list[Any]) -> None:
    batch = modality.encode_all(rows)
    for found in (modality.varied(batch), modality.mirrored(batch) or batch):
        assert torch.equal(found.offsets, batch.offsets)
        assert (found.values.shape, found.values.dtype) == (batch.values.shape, batch.values.dtype)
        assert bool(found.values.double().isfinite().all())


def test_read_from_the_other_end_twice_it_is_itself(modality: Modality, rows: list[Any]) -> None:
    batch = modality.encode_all(rows)
    mirrored = modality.mirrored(batch)
    again = None if mirrored is None else modality.mirrored(mirrored)
    assert again is None or torch.equal(again.values, batch.values)


def test_no_rows_are_an_empty_batch(modality: Modality) -> None:
    assert len(modality.encode_all([])) == 0


def test_it_can_be_read_again(modality: Modality, rows: list[Any]) -> None:
    for row in rows:
        readable = modality.decode(modality.encode(row))
        assert isinstance(readable, str)
        assert readable


def test_saved_and_loaded_it_is_the_same(kind: type[Modality], modality: Modality, rows: list[Any]) -> None:
    again = kind.from_json(json.loads(json.dumps(modality.to_json())))
    assert torch.equal(again.encode_all(rows).values, modality.encode_all(rows).values)
    assert again.to_json() == modality.to_json()


def test_its_encoder_gives_vectors_that_can_be_learnt(modality: Modality, rows: list[Any]) -> None:
    batch = modality.encode_all(rows)
    encoder = modality.encoder(5)
    vectors = encoder(batch.values)
    assert vectors.shape == (len(batch.values), 5)
    vectors.sum().backward()
    gradients = [p.grad for p in encoder.parameters()]
    assert gradients
    assert all(g is not None and bool(g.isfinite().all()) for g in gradients)
