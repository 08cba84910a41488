"""Every error is ours and also the standard one, and says in one line what was wrong."""

import pytest

from recurra import errors


@pytest.mark.parametrize(
    ("error", "standard"),
    [
        (errors.InputError("x"), ValueError),
        (errors.UnknownNameError("cell", "lstn", ["lstm", "gru"]), ValueError),
        (errors.ShapeError("x", [2, 3], [3, 2]), ValueError),
        (errors.DataError("x"), ValueError),
        (errors.MissingFileError("x"), FileNotFoundError),
        (errors.RunError("x"), OSError),
        (errors.MissingExtraError("TensorBoard", "tensorboard"), ImportError),
    ],
)
def test_every_error_is_also_the_standard_one(error, standard):
    assert isinstance(error, errors.RecurraError)
    assert isinstance(error, standard)
    assert str(error)
    assert "\n" not in str(error)


def test_what_they_say():
    assert str(errors.UnknownNameError("cell", "lstn", ["lstm", "gru"])) == "unknown cell 'lstn': did you mean 'lstm'?"
    assert str(errors.UnknownNameError("cell", "xyz", ["lstm", "gru"])) == "unknown cell 'xyz': choose from gru, lstm"
    assert str(errors.ShapeError("hx", [1, 4], [2, 4])) == "hx: expected [1, 4], got [2, 4]"
    assert "pip install 'recurra[tensorboard]'" in str(errors.MissingExtraError("TensorBoard", "tensorboard"))
