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
            given[field.name] = values[field.name].value
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
    """Define one flag; the configuration checks choices and ranges."""
    kind, _ = value_type(hint)
    is_list = typing.get_origin(kind) is tuple
    text = option.meaning
    if option.names():
        text += f" {'Of' if is_list else 'One of'} {', '.join(option.names())}."
    if is_list:
        default = None if default is None else list(map(str, default))
        flags.DEFINE_list(name, default, text, flag_values=values)
    elif kind is bool:
        flags.DEFINE_bool(name, default, text, flag_values=values)
    elif kind is int:
        flags.DEFINE_integer(name, default, text, flag_values=values)
    elif kind is float:
        flags.DEFINE_float(name, default, text, flag_values=values)
    else:
        flags.DEFINE_string(name, default, text, flag_values=values)
