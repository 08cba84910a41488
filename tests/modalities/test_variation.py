"""Series as they might have come just as well."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recurra.errors import InputError
from recurra.modalities._variation import jittered, rescaled, turned, warped
from recurra.modalities.series import Series, SeriesConfig
from recurra.sequences import Ragged

LENGTHS = st.lists(st.integers(0, 40), min_size=1, max_size=6)


def drawn(lengths: list[int], channels: int = 2) -> Ragged:
    return Ragged(torch.randn(sum(lengths), channels), torch.tensor([0, *lengths]).cumsum(0))


@settings(deadline=None, max_examples=50)
@given(LENGTHS, st.floats(0.01, 1.5), st.integers(0, 99))
def test_a_warped_series_goes_the_same_way_in_its_own_time(lengths: list[int], size: float, seed: int) -> None:
    torch.manual_seed(seed)
    series = drawn(lengths)
    # A channel that says which step it is: after warping it says which moment.
    steps = torch.cat([torch.arange(float(n)) for n in lengths]) if sum(lengths) else torch.zeros(0)
    found = warped(series.with_values(torch.stack([steps, -2 * steps], 1)), size)
    assert torch.equal(found.lengths, series.lengths)
    for row in found.unbind():
        if not len(row):
            continue
        moments = row[:, 0]
        assert moments[0] == 0 and moments[-1] == len(row) - 1
        assert bool((moments.diff() > 0).all())
        assert torch.allclose(row[:, 1], -2 * moments, atol=1e-4)


def test_every_series_is_warped_scaled_and_jittered_for_itself() -> None:
    torch.manual_seed(0)
    ramp = torch.linspace(0, 1, 50)[:, None].repeat(2, 2)
    twice = Ragged(ramp, torch.tensor([0, 50, 100]))
    for change in (warped, rescaled, jittered):
        one, other = change(twice, 0.3).unbind()
        assert not torch.equal(one, other)
    factors = (rescaled(twice, 0.3).values / ramp).nan_to_num(1.0)[1:50]
    assert torch.allclose(factors, factors[:1].expand_as(factors))
    assert jittered(twice, 0.3).values.sub(ramp).std().item() == pytest.approx(0.3, rel=0.2)


@settings(deadline=None, max_examples=30)
@given(LENGTHS, st.floats(0.1, 180.0), st.integers(0, 99))
def test_turned_vectors_keep_their_lengths_and_angles(lengths: list[int], degrees: float, seed: int) -> None:
    torch.manual_seed(seed)
    series = drawn(lengths, 6)
    found = turned(series, degrees)
    for before, after in zip(series.unbind(), found.unbind(), strict=True):
        # All vectors of a series, of either sensor and at any step, are turned by the same matrix of determinant 1.
        one, other = before.reshape(-1, 3).double(), after.reshape(-1, 3).double()
        assert torch.allclose(one @ one.T, other @ other.T, atol=1e-4)
        if len(one) > 2:
            assert torch.allclose(torch.linalg.det(one[:3]), torch.linalg.det(other[:3]), atol=1e-4)


def test_a_recording_is_turned_in_its_own_unit() -> None:
    row = np.array([[0.0, 0.0, 9.8], [0.1, 0.2, 9.6]])
    modality = Series.fit(SeriesConfig(rotation=30.0), [row, row * 0.5])
    torch.manual_seed(0)
    inputs = modality.encode_all([row])
    found = modality.varied(inputs).values.double().numpy() * modality.deviation + modality.mean
    assert np.linalg.norm(found, axis=1) == pytest.approx(np.linalg.norm(row, axis=1), rel=1e-5)
    assert abs(found - row).max() > 0.1
    with pytest.raises(InputError, match=r"modality\.rotation: expected channels in threes"):
        Series.fit(SeriesConfig(rotation=5.0), [[1.0, 2.0]])


def test_settings_say_how_much_and_none_is_none() -> None:
    rows = [np.outer(row, [1.0, -2.0, 0.5]) for row in ([0.0, 1.0, 2.0], [4.0, 1.0])]
    plain = Series.fit(SeriesConfig(), rows)
    inputs = plain.encode_all(rows)
    assert torch.equal(plain.varied(inputs).values, inputs.values)
    for name in ("jitter", "scaling", "warp", "rotation"):
        kind = Series.fit(SeriesConfig(**{name: 0.5}), rows)
        torch.manual_seed(1)
        once = kind.varied(inputs).values
        torch.manual_seed(1)
        assert torch.equal(kind.varied(inputs).values, once)
        assert not torch.equal(once, inputs.values)
        assert kind.moves == (name == "warp")
        with pytest.raises(InputError, match=f"modality.{name}: expected 0 or more"):
            SeriesConfig(**{name: -0.1})
