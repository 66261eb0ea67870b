"""Extension points: tables from names to things, to which a Python file outside the package can add."""

from __future__ import annotations

import hashlib
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

# The table of each kind that can be extended.
TABLES = {
    "aggregation": "fsanet_tf.models.config:AGGREGATIONS",
    "augmentation": "fsanet_tf.data.augmentation_config:AUGMENTATIONS",
    "backbone": "fsanet_tf.models.config:BACKBONES",
    "detector": "fsanet_tf.detection.detectors:DETECTORS",
    "head": "fsanet_tf.models.config:HEADS",
    "loss": "fsanet_tf.training.config:LOSSES",
    "metric": "fsanet_tf.training.config:METRICS",
    "output": "fsanet_tf.models.config:OUTPUTS",
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

    def find(self, name_or_thing: Any) -> Any:
        """Return the thing of a name, or the argument if it is not a name."""
        return self[name_or_thing] if isinstance(name_or_thing, str) else name_or_thing

    def __getitem__(self, name: str) -> Any:
        if name not in self:
            message = f"{self.kind} must be one of {', '.join(self)}. Received: {name}"
            if not os.environ.get(EXTENSIONS_VARIABLE):
                message += f" (an extension? {EXTENSIONS_VARIABLE} names its file)"
            raise InputError(message)
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
    """Register an extension under a name.

    Commands and worker processes read the files that the environment variable `FSANET_EXTENSIONS` names
    (separated as in `PATH`); docs/extending.md contains an example for each kind. In Python, the object
    itself can be passed in place of its name, without registering it.

    Args:
        kind: `aggregation`, `augmentation`, `backbone`, `detector`, `head`, `loss`, `metric`, `output` or
            `scoring`.
        name: Its name; an existing entry is replaced.

    Returns:
        A decorator, which registers its argument and returns it.

    Raises:
        InputError: If the kind is unknown.

    Example:
        >>> @fsanet_tf.register("loss", "huber")
        ... def make_huber():
        ...     import keras
        ...     return keras.losses.Huber(delta=5.0)
        >>> fsanet_tf.TrainingConfig(data=("faces.npz",), output_dir="run", loss="huber").loss
        'huber'
    """
    if kind not in TABLES:
        raise InputError(f"kind must be one of {', '.join(TABLES)}. Received: {kind}")

    def add(thing: Any) -> Any:
        import_thing(TABLES[kind]).add(name, thing)
        return thing

    return add


def extension_paths() -> list[Path]:
    """Return the files that `FSANET_EXTENSIONS` names."""
    names = os.environ.get(EXTENSIONS_VARIABLE, "").split(os.pathsep)
    return [Path(name) for name in names if name]


def load_extensions() -> None:
    """Import the files that `FSANET_EXTENSIONS` names, each once per process.

    Raises:
        InputError: If there is no such file, or it cannot be imported.
    """
    for path in extension_paths():
        digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]  # two files may share a stem
        module_name = f"fsanet_extension_{path.stem}_{digest}"
        if module_name in sys.modules:
            continue
        spec = importlib.util.spec_from_file_location(module_name, path)
        if spec is None or spec.loader is None or not path.is_file():
            raise InputError(f"{EXTENSIONS_VARIABLE}: {path}: expected a Python file")
        module = sys.modules[module_name] = importlib.util.module_from_spec(spec)
        try:
            spec.loader.exec_module(module)
        except BaseException as error:
            del sys.modules[module_name]  # it does not count as loaded
            if isinstance(error, MissingExtraError) or not isinstance(error, Exception):
                raise
            reason = f"{type(error).__name__}: {error}"
            raise InputError(f"{EXTENSIONS_VARIABLE}: {path}: could not import it ({reason})") from error
