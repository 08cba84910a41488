"""Anomalies by a Gaussian over a sliding window: what NAB holds detectors against."""

import numpy as np
from numpy.typing import NDArray

# NAB's own settings.
WINDOW, STRIDE = 6400, 100
LEAST_DEVIATION = 1e-6


def windowed_gaussian(values: NDArray[np.floating], window: int = WINDOW, stride: int = STRIDE) -> NDArray[np.float64]:
    """Each point's score from 0 to 1: how much of a Gaussian lies nearer to its mean than the point, on that side.

    values: [T]. The Gaussian has the mean and the deviation of ``window`` points before it, of fewer at the start, and
    once there are so many it is moved every ``stride`` points. The first point's score is 0. As ``windowedGaussian`` of
    the Numenta Anomaly Benchmark, https://github.com/numenta/NAB: one minus the upper tail, so 0.5 in the middle.

    >>> windowed_gaussian(np.array([0.0, 2.0, 0.0, 2.0, 9.0])).round(3).tolist()
    [0.0, 1.0, 0.841, 0.921, 1.0]
    """
    from torch import from_numpy
    from torch.special import ndtr

    values = np.asarray(values, np.float64)
    # Sums of differences from one level: those of large values would lose the small deviations.
    level = values[0] if len(values) else 0.0
    sums, squares = (np.concatenate([[0.0], x.cumsum()]) for x in (values - level, (values - level) ** 2))
    ends = np.arange(1, len(values))
    starts = np.maximum(ends - window, 0) // stride * stride
    ends = np.minimum(ends, starts + window)
    counts = ends - starts
    mean = (sums[ends] - sums[starts]) / counts
    deviation = np.sqrt(np.maximum((squares[ends] - squares[starts]) / counts - mean**2, 0))
    deviation = np.where(deviation > 0, deviation, LEAST_DEVIATION)
    far = np.abs(values[1:] - level - mean) / deviation
    return np.concatenate([np.zeros(min(len(values), 1)), ndtr(from_numpy(far)).numpy()])
