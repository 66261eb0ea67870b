"""Options as the fields of a configuration."""

import dataclasses
from typing import Any, TypeVar

from absl import flags

from fsanet_tf.errors import InputError

Config = TypeVar("Config")


def fields_from_flags(config_type: type[Config], values: flags.FlagValues, **fixed: Any) -> Config:
    """Build a configuration from the options that are named like its fields.

    Args:
        config_type: A dataclass.
        values: Parsed options; lists become tuples.
        fixed: Values of further fields, or instead of an option's.

    Raises:
        InputError: If the configuration refuses the values.
    """
    given = {
        field.name: values[field.name].value
        for field in dataclasses.fields(config_type)  # type: ignore[arg-type]
        if field.name in values and field.name not in fixed
    }
    given = {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}
    try:
        return config_type(**given, **fixed)
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
