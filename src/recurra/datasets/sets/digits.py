"""Handwritten digits of 8 x 8 pixels, read one pixel after another: 64 steps.

A small stand-in for sequential MNIST (Le, Jaitly & Hinton 2015, https://arxiv.org/abs/1504.00941).
"""

from collections.abc import Mapping

from recurra.datasets.base import Columns, Dataset


def _read(_: Mapping[str, bytes]) -> dict[str, Columns]:
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    return {"train": {"series": list(pixels), "label": [str(label) for label in labels]}}


DIGITS = Dataset(
    name="digits",
    summary="handwritten digits pixel by pixel, 10 classes; scikit-learn brings them",
    size="1,797 series of 64 steps; valid and test are cut from them",
    task="gesture",
    licence="CC-BY-4.0",
    source="Alpaydin & Kaynak 1998, https://doi.org/10.24432/C50P49",
    read=_read,
)
