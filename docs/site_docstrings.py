"""Griffe extension: what the docstrings of this package have that the Google style does not know."""

import dataclasses
import importlib
from typing import Any

import griffe

from fsanet_tf.options import KEY


class PackageDocstrings(griffe.Extension):
    """Show an example as code, and a configuration's options as its attributes."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring:
            obj.docstring.value = obj.docstring.value.replace("Example:\n", "Examples:\n")

    def on_class(self, *, cls: griffe.Class, **_: Any) -> None:
        if cls.docstring and any(str(decorator.value) == "configuration" for decorator in cls.decorators):
            configuration = getattr(importlib.import_module(cls.module.path), cls.name)
            options = [field for field in dataclasses.fields(configuration) if KEY in field.metadata]
            summary, *rest = cls.docstring.value.split("\n\n")
            section = "\n".join(["Attributes:", *map(describe, options)])
            cls.docstring.value = "\n\n".join([summary, section, *rest])


def describe(field: dataclasses.Field) -> str:
    """Return the line of an option in a section of attributes."""
    required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    default = "Required." if required else f"Default: `{field.default!r}`."
    return f"    {field.name}: {field.metadata[KEY].meaning} {default}"
