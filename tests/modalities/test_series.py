"""The modality of series: scaling, channels, and what is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from recurra.errors import InputError
from recurra.modalities.series import Series, SeriesConfig

lengths = st.lists(st.integers(0, 6), min_size=1, max_size=5).filter(any)


@given(lengths, st.integers(1, 3), st.integers(0, 99))
def test_training_rows_are_scaled_to_mean_0_and_deviation_1(steps: list[int], channels: int, seed: int) -> None:
    draw = np.random.default_rng(seed)
    rows = [draw.normal(5, 3, (length, channels)) for length in steps]
    batch = Series.fit(SeriesConfig(), rows).encode_all(rows)
    assert batch.lengths.tolist() == steps
    assert batch.values.shape == (sum(steps), channels)
    assert batch.values.mean(0).abs().max() < 1e-5
    if sum(steps) > 1:
        assert (batch.values.std(0, correction=0) - 1).abs().max() < 1e-4


def test_a_channel_that_never_changes_is_moved_but_not_divided() -> None:
    modality = Series.fit(SeriesConfig(), [[[7.0, 1.0], [7.0, 3.0]]])
    assert modality.encode([[7.0, 2.0], [9.0, 2.0]]).tolist() == [[0.0, 0.0], [2.0, 0.0]]


def test_scale_none_leaves_numbers_as_they_are() -> None:
    modality = Series.fit(SeriesConfig(scale="none"), [[10.0, 20.0]])
    assert modality.encode("10 30").tolist() == [[10.0], [30.0]]


def test_large_float32_numbers_keep_their_differences() -> None:
    rows = [np.full(1000, 1e6, np.float32) + np.arange(1000, dtype=np.float32)]
    values = Series.fit(SeriesConfig(), rows).encode(rows[0])
    assert values.diff(dim=0).std() < 1e-6


def test_an_empty_row_has_no_steps_whatever_its_channels() -> None:
    modality = Series.fit(SeriesConfig(), [[[1.0, 2.0], [3.0, 5.0]], []])
    assert modality.encode_all([[], [[1.0, 2.0]]]).lengths.tolist() == [0, 1]


def test_channels_go_to_the_layers_as_they_are_unless_another_width_is_wanted() -> None:
    modality = Series.fit(SeriesConfig(), [[[1.0, 2.0], [3.0, 5.0]]])
    assert modality.natural_width(64) == 2
    assert isinstance(modality.encoder(2), nn.Identity)
    assert modality.encoder(3)(torch.zeros(4, 2)).shape == (4, 3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="nothing but empty series in 2 training rows"):
        Series.fit(SeriesConfig(), [[], []])
    with pytest.raises(InputError, match="series 2: expected 1 channels, as in training, got 2"):
        Series.fit(SeriesConfig(), [[1.0, 2.0], [[1.0, 2.0]]])
    modality = Series.fit(SeriesConfig(), [[1.0, 2.0]])
    with pytest.raises(InputError, match="series 1, step 2: a number is missing"):
        modality.encode([1.0, float("nan")])
    with pytest.raises(InputError, match="series 1: expected a series"):
        modality.encode(3.0)
    with pytest.raises(InputError, match="not what was saved by modality series"):
        Series.from_json({"mean": [0.0]})
