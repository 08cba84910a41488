"""Shared by all tests: one thread, one table of tolerances, moderate property tests."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import settings
from torch import Tensor

# How far two ways to one result may differ, relative to its largest value.
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5, torch.bfloat16: 3e-2}

Close = Callable[[Tensor, Tensor], None]

settings.register_profile("recurra", deadline=None, max_examples=50)
settings.load_profile("recurra")


@pytest.fixture(autouse=True, scope="session")
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def close() -> Close:
    """Asserts that two tensors agree, to the tolerance of their dtype."""

    def check(actual: Tensor, expected: Tensor) -> None:
        assert actual.shape == expected.shape
        assert actual.dtype == expected.dtype
        if expected.numel():
            scale = max(1.0, expected.abs().max().item())
            assert (actual - expected).abs().max().item() <= TOLERANCE[expected.dtype] * scale

    return check
