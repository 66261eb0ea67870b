"""Command line options from the options of a configuration."""

from __future__ import annotations

import dataclasses
import typing
from typing import Any, TypeVar

from absl import flags

from fsanet_tf.options import Option, options_of, value_type

Config = TypeVar("Config")


def define_flags(config_type: type, values: flags.FlagValues) -> None:
    """Define a flag for each option of a configuration, and for those of the configurations within it.

    The flag's type, default, help, choices and range are those of the field.

    Args:
        config_type: A class made by `@configuration`.
        values: Receives the flags.
    """
    hints = typing.get_type_hints(config_type)
    for field in dataclasses.fields(config_type):
        if nested := _nested(hints[field.name]):
            define_flags(nested, values)
        elif field.name in options_of(config_type):
            default = None if field.default is dataclasses.MISSING else field.default
            _define(field.name, hints[field.name], options_of(config_type)[field.name], default, values)


def config_from_flags(config_type: type[Config], values: flags.FlagValues) -> Config:
    """Build a configuration, and those within it, from parsed flags.

    Args:
        config_type: A class made by `@configuration`.
        values: Parsed flags; options without a flag keep their defaults.

    Raises:
        OptionError: If an option has an invalid value.
    """
    hints = typing.get_type_hints(config_type)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(config_type):  # type: ignore[arg-type]
        if nested := _nested(hints[field.name]):
            given[field.name] = config_from_flags(nested, values)
        elif field.name in values:
            given[field.name] = _converted(hints[field.name], values[field.name].value)
    return config_type(**given)


def required_options(config_type: type) -> tuple[str, ...]:
    """Return the options of a configuration, and of those within it, that have no default."""
    names: list[str] = []
    hints = typing.get_type_hints(config_type)
    for field in dataclasses.fields(config_type):
        if nested := _nested(hints[field.name]):
            names += required_options(nested)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            names.append(field.name)
    return tuple(names)


def _nested(hint: Any) -> type | None:
    """Return the type of a field if it is a configuration."""
    kind, _ = value_type(hint)
    return kind if isinstance(kind, type) and dataclasses.is_dataclass(kind) and options_of(kind) else None


def _define(name: str, hint: Any, option: Option, default: Any, values: flags.FlagValues) -> None:
    """Define one flag."""
    kind, _ = value_type(hint)
    text = option.meaning
    if typing.get_origin(kind) is tuple:
        if option.names():  # the configuration checks each
            text += f" Of {', '.join(option.names())}."
        default = None if default is None else list(map(str, default))
        flags.DEFINE_list(name, default, text, flag_values=values)
    elif option.names():
        flags.DEFINE_enum(name, default, option.names(), text, flag_values=values)
    elif kind is bool:
        flags.DEFINE_bool(name, default, text, flag_values=values)
    elif kind is int:
        low, high = (None if limit is None else int(limit) for limit in (option.low, option.high))
        flags.DEFINE_integer(name, default, text, low, high, flag_values=values)
    elif kind is float:
        flags.DEFINE_float(name, default, text, option.low, option.high, flag_values=values)
    else:
        flags.DEFINE_string(name, default, text, flag_values=values)


def _converted(hint: Any, value: Any) -> Any:
    """Return the value of a flag in the type of its field: lists of texts become tuples of its items."""
    kind, _ = value_type(hint)
    if not isinstance(value, list):
        return value
    item = typing.get_args(kind)[0] if typing.get_origin(kind) is tuple else str
    try:
        return tuple(item(text) if item in (int, float) else text for text in value)
    except ValueError:
        return tuple(value)  # the configuration says what is expected
