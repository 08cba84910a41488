"""Series in time and windows of them."""

import numpy as np

from recurra.timeline import Timeline, Window


def line(y: list[float], **parts: object) -> Timeline:
    nothing = np.zeros((len(y), 0))
    return Timeline("a", np.arange(len(y)), np.array(y, float), nothing, nothing, **parts)  # type: ignore[arg-type]


def test_what_is_missing_is_carried_from_a_season_before() -> None:
    found = line([1, 2, np.nan, 4, np.nan, np.nan]).carried(2)
    np.testing.assert_array_equal(found, [1, 2, 1, 4, 1, 4])
    np.testing.assert_array_equal(line([np.nan, 2, np.nan]).carried(1), [np.nan, 2, 2])


def test_a_window_never_shows_what_lies_behind_its_end() -> None:
    window = Window(line([0, 1, 2, 3, 4, 5]), origin=3, horizon=3, steps=2, until=4)
    np.testing.assert_array_equal(window.history, [1, 2])
    np.testing.assert_array_equal(window.wanted, [3, np.nan, np.nan])
    assert (window.start, window.end, len(window)) == (1, 6, 5)


def test_content_and_place_tell_windows_apart() -> None:
    one, other = line([1, 2, 3]), line([1, 2, 4])
    assert str(Window(one, 2, 1, 2)) == str(Window(line([1, 2, 3]), 2, 1, 2))
    assert str(Window(one, 2, 1, 2)) != str(Window(other, 2, 1, 2))
    assert str(Window(one, 2, 1, 2)) != str(Window(one, 1, 1, 2))
    assert one.digest != line([1, 2, 3], static=("x",)).digest
