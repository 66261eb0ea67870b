"""Configurations whose options state default, meaning, choices and range once, at the dataclass field."""

from __future__ import annotations

import dataclasses
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Collection
from typing import Any, TypeVar

import numpy as np

from fsanet_tf.errors import OptionError, require_choice
from fsanet_tf.registry import Registry

T = TypeVar("T")
KEY = "fsanet_tf.option"


@dataclasses.dataclass(frozen=True)
class Option:
    """Meaning, choices and range of a field.

    Attributes:
        meaning: One or two sentences for `--help`, the docstring and the documentation's tables.
        choices: Allowed values; None: any. A `Registry` also allows an object in place of a name.
        low, high: Smallest and largest number; None: no limit.
    """

    meaning: str
    choices: Collection[str] | Callable[[], Collection[str]] | None = None
    low: float | None = None
    high: float | None = None

    def names(self) -> list[str]:
        """Return the choices; empty if any value is allowed."""
        choices = self.choices() if callable(self.choices) else self.choices
        return list(choices or ())


def option(
    default: Any = dataclasses.MISSING,
    meaning: str = "",
    *,
    choices: Collection[str] | Callable[[], Collection[str]] | None = None,
    low: float | None = None,
    high: float | None = None,
    factory: Any = dataclasses.MISSING,
) -> Any:
    """Declare a field of a `@configuration`.

    Args:
        default: Its default; without one the option is required.
        meaning, choices, low, high: As of `Option`.
        factory: Makes the default, for nested configurations.
    """
    metadata = {KEY: Option(meaning, choices, low, high)}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def same_option(config_type: type, name: str, default: Any = dataclasses.MISSING) -> Any:
    """Declare a field as another configuration declares it, if need be with a default of its own."""
    (field,) = (field for field in dataclasses.fields(config_type) if field.name == name)
    default = field.default if default is dataclasses.MISSING else default
    return dataclasses.field(default=default, metadata=field.metadata)


@typing.dataclass_transform(frozen_default=True, field_specifiers=(dataclasses.field,))
def configuration(cls: type[T]) -> type[T]:
    """Make a frozen dataclass whose options are checked and documented from their fields.

    Paths become strings, a single value of a tuple option a tuple of one, and NumPy's values Python's. A
    `__post_init__` of the class runs after these checks.

    Raises:
        OptionError: When a configuration is made, if a value has another type, is no choice or out of range.
    """
    own_check = cls.__dict__.get("__post_init__")

    def check(self: Any) -> None:
        hints = typing.get_type_hints(cls)
        for field in dataclasses.fields(self):
            if KEY in field.metadata:
                value = _checked(field, hints[field.name], getattr(self, field.name))
                object.__setattr__(self, field.name, value)
        if own_check:
            own_check(self)

    cls.__post_init__ = check  # type: ignore[attr-defined]
    made = dataclasses.dataclass(frozen=True)(cls)
    made.__doc__ = _with_attributes(made)
    return made


def options_of(config_type: type) -> dict[str, Option]:
    """Return the options of a configuration by field name."""
    fields = dataclasses.fields(config_type)
    return {field.name: field.metadata[KEY] for field in fields if KEY in field.metadata}


def value_type(hint: Any) -> tuple[Any, bool]:
    """Split the type of a field into the type of its values and whether None is allowed.

    `tuple[str, ...]` stays as it is; `float | None` is `(float, True)`.
    """
    if isinstance(hint, types.UnionType) or typing.get_origin(hint) is typing.Union:
        members = [member for member in typing.get_args(hint) if member is not types.NoneType]
        return members[0], types.NoneType in typing.get_args(hint)
    return hint, False


def _checked(field: dataclasses.Field, hint: Any, value: Any) -> Any:
    """Return the value of a field in its type."""
    stated: Option = field.metadata[KEY]
    kind, optional = value_type(hint)
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None:
        if optional:
            return None
        raise OptionError(field.name, f"expected {_type_name(kind)}, received None")
    if typing.get_origin(kind) is tuple:
        item = typing.get_args(kind)[0]
        several = value if isinstance(value, list | tuple) else (value,)
        if not several and field.default is dataclasses.MISSING:
            raise OptionError(field.name, "expected at least one, received none")
        return tuple(_checked_value(field.name, stated, item, one) for one in several)
    return _checked_value(field.name, stated, kind, value)


def _checked_value(name: str, stated: Option, kind: Any, value: Any) -> Any:
    if isinstance(stated.choices, Registry):  # or an object in place of a name
        if isinstance(value, str):
            stated.choices.require(value, name)
        elif not callable(value):
            names = ", ".join(stated.choices)
            raise OptionError(name, f"expected one of {names}, or an object like those, received {value!r}")
        return value
    if stated.choices is not None and isinstance(value, str):
        require_choice(name, value, stated.names())
    return checked(name, kind, value, stated.low, stated.high)


def checked(name: str, kind: Any, value: Any, low: float | None = None, high: float | None = None) -> Any:
    """Return a value in its type; NumPy's numbers become Python's.

    Args:
        name: What an error calls it.
        kind: `int`, `float`, `bool` or `str`; a value of another kind is returned as it is.
        value: The value.
        low, high: Smallest and largest number; None: no limit.

    Raises:
        OptionError: If the value has another type, is not finite or out of range.
    """
    value = _in_type(name, kind, value.tolist() if isinstance(value, np.ndarray | np.generic) else value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if not math.isfinite(value) or (low is not None and value < low) or (high is not None and value > high):
        raise OptionError(name, f"expected {_range(kind, low, high)}, received {value:g}")
    return value


def _in_type(name: str, kind: Any, value: Any) -> Any:
    if kind is str and isinstance(value, os.PathLike):
        return os.fspath(value)
    if kind is bool and isinstance(value, bool):
        return value
    if kind is int and isinstance(value, numbers.Integral) and not isinstance(value, bool):
        return int(value)
    if kind is float and isinstance(value, numbers.Real) and not isinstance(value, bool):
        return float(value)
    is_nested = isinstance(kind, type) and dataclasses.is_dataclass(kind)  # a configuration
    if (is_nested and not isinstance(value, kind)) or (
        kind in (int, float, bool, str) and not (kind is str and isinstance(value, str))
    ):
        raise OptionError(name, f"expected {_type_name(kind)}, received {value!r}")
    return value


def _type_name(kind: Any) -> str:
    names = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    return names.get(kind, getattr(kind, "__name__", str(kind)))


def _range(kind: Any, low: float | None, high: float | None) -> str:
    if low is not None and high is not None:
        return f"{_type_name(kind)} from {low:g} to {high:g}"
    if low is not None:
        return f"{_type_name(kind)} of at least {low:g}"
    return _type_name(kind) if high is None else f"{_type_name(kind)} of at most {high:g}"


def _with_attributes(config_type: type) -> str:
    """Return the docstring of a configuration, with its options as attributes before the example."""
    stated = options_of(config_type)
    lines = [
        "Attributes:",
        *(f"    {name}: {option.meaning}" for name, option in stated.items() if option.meaning),
    ]
    head, marker, example = (config_type.__doc__ or "").partition("    Example:")
    attributes = "\n    ".join(lines)
    return f"{head.rstrip()}\n\n    {attributes}\n\n{marker}{example}"
