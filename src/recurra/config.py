"""Settings: a frozen dataclass beside what it configures, and the way to and from TOML.

A field's default is the only place that default is written; command line, config.toml and documentation
read it from there, with its sentence of help.
"""

import dataclasses
import math
import types
from dataclasses import field, fields, is_dataclass, replace
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from recurra.errors import InputError, UnknownNameError

C = TypeVar("C")


def setting(default: Any, help: str) -> Any:
    """A dataclass field with its default and one sentence of help."""
    return field(default=default, metadata={"help": help})


def to_dict(config: Any) -> dict[str, Any]:
    """Nested plain values, as TOML knows them; None is left out."""
    return {k: v for k, v in dataclasses.asdict(config).items() if v is not None}


def from_dict(kind: type[C], values: dict[str, Any], where: str = "") -> C:
    """Builds ``kind`` from plain values. Raises UnknownNameError for an unknown key, InputError for a bad value."""
    hints = get_type_hints(kind)
    known = {f.name for f in fields(kind)}  # type: ignore[arg-type]
    for key in values:
        if key not in known:
            raise UnknownNameError(f"setting {where and where + '.'}{key}, name", key, known)
    return kind(**{k: coerce(hints[k], v, f"{where and where + '.'}{k}") for k, v in values.items()})


def coerce(hint: Any, value: Any, name: str) -> Any:
    """``value`` as the annotated type; text (from the command line) is parsed. Raises InputError with ``name``."""
    if is_dataclass(hint):
        return value if isinstance(value, hint) else from_dict(hint, value, name)  # type: ignore[arg-type]
    origin, args = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in args:
            raise UnknownNameError(f"value for {name}", str(value), map(str, args))
        return value
    if origin in (Union, types.UnionType):
        if type(None) in args and value in (None, "none"):
            return None
        several = isinstance(value, list | tuple) or (isinstance(value, str) and "," in value)
        kinds = [a for a in args if a is not type(None)]
        fitting = [a for a in kinds if several == bool(get_args(a))]
        return coerce((fitting or kinds)[0], value, name)
    if origin in (list, tuple):
        parts = value.split(",") if isinstance(value, str) else value
        return origin(coerce(args[0], part, name) for part in parts)
    if origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{name}: expected a table of values, got {value!r}")
        return {k: coerce(args[1], v, f"{name}.{k}") for k, v in value.items()}
    return _scalar(hint, value, name)


def _scalar(hint: type, value: Any, name: str) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name}: expected a finite number, got {value}")
    if hint is Any or (isinstance(value, hint) and (hint is bool or not isinstance(value, bool))):
        return value
    try:
        if hint is bool:
            return {"true": True, "false": False, "1": True, "0": False}[str(value).lower()]
        if hint in (int, float) and not isinstance(value, bool):
            number = hint(value)
            if not math.isfinite(number):
                raise ValueError
            if isinstance(value, float) and number != value:
                raise ValueError
            return number
    except (KeyError, ValueError, TypeError):
        pass
    raise InputError(f"{name}: expected {getattr(hint, '__name__', hint)}, got {value!r}")


def paths(config: Any, prefix: str = "") -> dict[str, dataclasses.Field[Any]]:
    """Every setting by its dotted path: ``training.epochs`` and so on."""
    found: dict[str, dataclasses.Field[Any]] = {}
    for f in fields(config):
        value = getattr(config, f.name)
        found |= paths(value, f"{prefix}{f.name}.") if is_dataclass(value) else {f"{prefix}{f.name}": f}
    return found


def resolve(config: Any, key: str) -> str:
    """The full path of a setting given by path or, where only one setting has it, by its last word."""
    known = paths(config)
    table, _, entry = key.rpartition(".")
    if key in known or (table in known and entry and get_origin(known[table].type) is dict):
        return key
    short = [p for p in known if p.rsplit(".", 1)[-1] == key]
    if len(short) == 1:
        return short[0]
    if short:
        raise InputError(f"setting {key!r} could be {' or '.join(short)}: give the whole path")
    raise UnknownNameError("setting", key, [*known, *(p.rsplit(".", 1)[-1] for p in known)])


def override(config: C, values: dict[str, Any]) -> C:
    """A copy with settings changed by (short or dotted) key. Raises UnknownNameError or InputError.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Loop:
    ...     epochs: int = 10
    >>> override(Loop(), {"epochs": "3"})
    Loop(epochs=3)
    """
    for key, value in values.items():
        config = _put(config, resolve(config, key).split("."), value, key)
    return config


def _put(config: Any, path: list[str], value: Any, name: str) -> Any:
    head, *rest = path
    if isinstance(config, dict):
        return {**config, head: value}
    current = getattr(config, head)
    new = _put(current, rest, value, name) if rest else value
    return replace(config, **{head: coerce(get_type_hints(type(config))[head], new, name)})
