"""Choices by name: one table per kind, to which a file outside the package can add."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError, MissingExtraError

__all__ = ["register"]

EXTENSIONS_VARIABLE = "FSANET_EXTENSIONS"

# The table of each kind.
TABLES = {
    "aggregation": "fsanet_tf.models.config:AGGREGATIONS",
    "backbone": "fsanet_tf.models.config:BACKBONES",
    "data source": "fsanet_tf.commands.main:DATA_SOURCES",
    "detector": "fsanet_tf.detection.detectors:DETECTORS",
    "export format": "fsanet_tf.export.config:FORMATS",
    "head": "fsanet_tf.models.config:HEADS",
    "loss": "fsanet_tf.training.config:LOSSES",
    "optimizer": "fsanet_tf.training.config:OPTIMIZERS",
    "runtime": "fsanet_tf.networks.runtimes:RUNTIMES",
    "schedule": "fsanet_tf.training.config:SCHEDULES",
    "scoring": "fsanet_tf.models.config:SCORINGS",
}


class Registry(Mapping[str, Any]):
    """A table from names to things, in the order in which they were added.

    Args:
        kind: What the names choose, for messages.
        entries: The things by name. A thing that is costly to import is written `"module:name"` and looked up
            when it is first needed.
    """

    def __init__(self, kind: str, entries: Mapping[str, Any]):
        self.kind = kind
        self._entries = dict(entries)

    def add(self, name: str, thing: Any) -> None:
        """Add a thing, or replace the one of that name."""
        self._entries[name] = thing

    def require(self, name: str) -> None:
        """Raise `InputError`, with the choices, unless there is a thing of that name."""
        if name not in self:
            raise InputError(f"{self.kind} must be one of {', '.join(self)}. Received: {name}")

    def __getitem__(self, name: str) -> Any:
        self.require(name)
        thing = self._entries[name]
        if isinstance(thing, str):
            thing = self._entries[name] = import_thing(thing)
        return thing

    def __contains__(self, name: object) -> bool:
        load_extensions()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        load_extensions()
        return iter(self._entries)

    def __len__(self) -> int:
        load_extensions()
        return len(self._entries)


def import_thing(address: str) -> Any:
    """Import what `"module:name"` stands for."""
    module, name = address.split(":")
    return getattr(importlib.import_module(module), name)


def register(kind: str, name: str) -> Callable[[Any], Any]:
    """Add a choice of a name to the package, from a file of one's own.

    Commands and worker processes read the files that the environment variable `FSANET_EXTENSIONS` names
    (separated as in `PATH`); docs/extending.md has an example for each kind.

    Args:
        kind: `aggregation`, `backbone`, `data source`, `detector`, `export format`, `head`, `loss`,
            `optimizer`, `runtime`, `schedule` or `scoring`.
        name: Its name. A name that is taken gets the new thing.

    Returns:
        A function that adds its argument and returns it: a decorator.

    Raises:
        InputError: If the kind is unknown.

    Example:
        >>> @fsanet_tf.register("loss", "huber")
        ... def make_huber():
        ...     import keras
        ...     return keras.losses.Huber(delta=5.0)
        >>> fsanet_tf.TrainingConfig(data=("faces.npz",), loss="huber").loss
        'huber'
    """
    if kind not in TABLES:
        raise InputError(f"kind must be one of {', '.join(TABLES)}. Received: {kind}")

    def add(thing: Any) -> Any:
        import_thing(TABLES[kind]).add(name, thing)
        return thing

    return add


def load_extensions() -> None:
    """Import the files that `FSANET_EXTENSIONS` names, each once per process.

    Raises:
        InputError: If there is no such file, or it cannot be imported.
    """
    for path in filter(None, os.environ.get(EXTENSIONS_VARIABLE, "").split(os.pathsep)):
        module_name = f"fsanet_extension_{Path(path).stem}"
        if module_name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None or not Path(path).is_file():
            raise InputError(f"{EXTENSIONS_VARIABLE}: {path}: expected a Python file")
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except MissingExtraError:
            raise
        except Exception as error:
            del sys.modules[module_name]
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"{EXTENSIONS_VARIABLE}: {path}: could not import it ({reason})") from error
