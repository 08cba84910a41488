"""Settings from plain values and back: types, nesting, and the nearest name for a typing error."""

from dataclasses import dataclass, field
from typing import Literal

import pytest

from recurra.config import from_dict, override, paths, resolve, setting, to_dict
from recurra.errors import InputError, UnknownNameError


@dataclass(frozen=True)
class Rate:
    value: float = setting(0.1, "Learning rate.")
    schedule: Literal["cosine", "plateau"] = "cosine"


@dataclass(frozen=True)
class Loop:
    epochs: int = 10
    minutes: float | None = None
    shuffle: bool = True
    milestones: tuple[int, ...] = ()
    widths: int | tuple[int, ...] = 4
    names: dict[str, str] = field(default_factory=dict)
    rate: Rate = Rate()


def test_there_and_back():
    loop = Loop(epochs=3, milestones=(2, 5), names={"text": "review"}, rate=Rate(0.5, "plateau"))
    values = to_dict(loop)
    assert "minutes" not in values
    assert from_dict(Loop, values) == loop
    assert from_dict(Loop, {}) == Loop()


@pytest.mark.parametrize(
    ("key", "value", "read"),
    [
        ("epochs", "3", lambda c: c.epochs == 3),
        ("epochs", 3.0, lambda c: c.epochs == 3 and isinstance(c.epochs, int)),
        ("minutes", "2.5", lambda c: c.minutes == 2.5),
        ("minutes", "none", lambda c: c.minutes is None),
        ("shuffle", "false", lambda c: c.shuffle is False),
        ("milestones", "2,5", lambda c: c.milestones == (2, 5)),
        ("widths", "3", lambda c: c.widths == 3),
        ("widths", "3,5", lambda c: c.widths == (3, 5)),
        ("widths", [3, "5"], lambda c: c.widths == (3, 5)),
        ("names.text", "review", lambda c: c.names == {"text": "review"}),
        ("rate.value", 1, lambda c: c.rate.value == 1.0 and isinstance(c.rate.value, float)),
        ("schedule", "plateau", lambda c: c.rate.schedule == "plateau"),
    ],
)
def test_override_parses_by_type(key, value, read):
    assert read(override(Loop(), {key: value}))
    assert Loop() == Loop()


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("epochs", "many", "epochs: expected int, got 'many'"),
        ("epochs", 2.5, "epochs: expected int, got 2.5"),
        ("epochs", True, "epochs: expected int, got True"),
        ("shuffle", "perhaps", "shuffle: expected bool"),
        ("widths", "3,x", "widths: expected int, got 'x'"),
        ("widths", "none", "widths: expected int, got 'none'"),
        ("widths", None, "widths: expected int, got None"),
        ("rate.value", "fast", "rate.value: expected float"),
        ("schedule", "cosin", "unknown value for schedule 'cosin': did you mean 'cosine'"),
        ("epoch", 1, "unknown setting 'epoch': did you mean 'epochs'"),
    ],
)
def test_a_bad_value_or_key_is_named(key, value, message):
    with pytest.raises(InputError, match=message):
        override(Loop(), {key: value})


def test_an_unknown_key_in_a_file_names_its_place_and_neighbour():
    with pytest.raises(UnknownNameError, match=r"rate\.valu.*did you mean 'value'"):
        from_dict(Loop, {"rate": {"valu": 1}})


def test_paths_and_short_keys():
    assert list(paths(Loop())) == [
        "epochs",
        "minutes",
        "shuffle",
        "milestones",
        "widths",
        "names",
        "rate.value",
        "rate.schedule",
    ]
    assert paths(Loop())["rate.value"].metadata["help"] == "Learning rate."
    assert resolve(Loop(), "value") == "rate.value"

    @dataclass(frozen=True)
    class Two:
        one: Rate = Rate()
        other: Rate = Rate()

    with pytest.raises(InputError, match=r"one\.value or other\.value"):
        resolve(Two(), "value")
