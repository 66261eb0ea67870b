"""The files of a training run's working directory, without importing TensorFlow."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from fsanet_tf.data.dataset import hash_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.io.files import replace_when_done, sha256, write_json
from fsanet_tf.registry import extension_paths
from fsanet_tf.training.config import TrainingConfig

CONFIG_FILE, LOG_FILE, CURVE_FILE = "config.json", "log.csv", "curve.png"
LAST_FILE, BEST_FILE, FINAL_FILE = "last.keras", "best.keras", "final.keras"

DATA_KEY, EXTENSIONS_KEY = "data_sha256", "extensions_sha256"  # of the configuration's file
NOT_COMPARED = ("output_dir", DATA_KEY, EXTENSIONS_KEY)
OLD_NAMES = {
    "colour": "color",
    "extensions": "augmentations",
    "greyscale": "grayscale",
    "init_weights": "init_network",
    "mirror": "flip",
    "output": "representation",
}


def config_as_json(config: TrainingConfig) -> dict[str, Any]:
    """Return the configuration as JSON represents it; objects that were passed in place of names as text."""
    content: dict[str, Any] = json.loads(json.dumps(_fields(config), default=_as_text))
    return content


def _fields(config: Any) -> dict[str, Any]:
    """Return the fields of a configuration; `asdict` would copy losses, which lose values by that."""
    values = {field.name: getattr(config, field.name) for field in dataclasses.fields(config)}
    return {name: _fields(v) if dataclasses.is_dataclass(v) else v for name, v in values.items()}


def _as_text(thing: Any) -> str:
    """Describe a loss, a metric or a part of an architecture with its own values.

    Keras's `get_config` lacks some: the `delta` of a Huber loss, for example.
    """
    if hasattr(thing, "__qualname__"):
        return str(thing.__qualname__)
    values = {**vars(thing), **getattr(thing, "_fn_kwargs", {})}
    plain = {key: value for key, value in values.items() if isinstance(value, str | int | float)}
    return f"{type(thing).__qualname__}({plain})"


def is_finished(config: TrainingConfig) -> bool:
    """Return whether the working directory contains the end of this very run.

    Raises:
        InputError: If it contains a run of another configuration, other faces or other extensions; the
            message says what differs.
    """
    directory = Path(config.output_dir)
    path = directory / CONFIG_FILE
    if not path.exists():
        return False
    content = read_config(directory)
    default = TrainingConfig(data=config.data, output_dir=config.output_dir, variant=config.variant)
    kept = _flat(config_as_json(default)) | _flat(content)
    wanted = _flat(config_as_json(config))
    changes = [
        f"{key} was {kept.get(key)!r}, is {wanted.get(key)!r}"
        for key in sorted(kept.keys() | wanted.keys())
        if key not in NOT_COMPARED and kept.get(key) != wanted.get(key)
    ]
    if changes:
        raise InputError(f"{path}: this directory contains another run: {'; '.join(changes)}")
    finished = (directory / FINAL_FILE).exists()
    files = (*config.data, *config.validation_data)
    if not finished or all(Path(name).exists() for name in files):
        for name, digest in zip(files, content.get(DATA_KEY, []), strict=False):
            if hash_dataset(name) != digest:
                raise InputError(f"{name}: contains other faces than when the run in {directory} was started")
    if content.get(EXTENSIONS_KEY) not in (None, hash_extensions()):
        raise InputError(
            f"{path}: FSANET_EXTENSIONS has other contents than when this run was started; restore them, or "
            "train in another directory"
        )
    return finished


def hash_extensions() -> str:
    """Return the SHA-256 of the contents of all extensions; empty if there are none."""
    digests = [sha256(path) for path in extension_paths()]
    return hashlib.sha256("".join(digests).encode()).hexdigest() if digests else ""


def write_config(config: TrainingConfig) -> None:
    """Write the configuration of a run, with hashes of its data and of the extensions."""
    hashes = [hash_dataset(name) for name in (*config.data, *config.validation_data)]
    content = {**config_as_json(config), DATA_KEY: hashes, EXTENSIONS_KEY: hash_extensions()}
    write_json(Path(config.output_dir) / CONFIG_FILE, content)


def read_config(output_dir: Path) -> dict[str, Any]:
    """Read the configuration of a run, of an older version as well.

    Raises:
        InputError: If it is missing or damaged.
    """
    path = output_dir / CONFIG_FILE
    try:
        content = _renamed(json.loads(path.read_text(encoding="utf-8")))
        if not isinstance(content.get(DATA_KEY, []), list):
            raise ValueError(f"{DATA_KEY} is no list")
        return content
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: expected the JSON of an earlier run ({error})") from error


def read_log(output_dir: Path, epochs: int) -> list[dict[str, float]]:
    """Read the log of a run up to an epoch.

    Raises:
        InputError: If it is damaged.
    """
    path = output_dir / LOG_FILE
    if not path.exists():
        return []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = [
                {key: float(value) for key, value in row.items() if value} for row in csv.DictReader(file)
            ]
        rows = [row for row in rows if row["epoch"] <= epochs]
        if any("val_loss" not in row for row in rows):
            raise ValueError("val_loss is missing")
        return rows
    except (ValueError, TypeError, KeyError, csv.Error) as error:
        raise InputError(
            f"{path}: expected the log of an earlier run, could not read it ({error})"
        ) from error


def write_log(output_dir: Path, rows: list[dict[str, float]]) -> None:
    """Write the log of a run: a row per epoch."""
    path = output_dir / LOG_FILE
    with replace_when_done(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(dict.fromkeys(key for row in rows for key in row)))
        writer.writeheader()
        writer.writerows({**row, "epoch": int(row["epoch"])} for row in rows)


def _renamed(config: dict[str, Any]) -> dict[str, Any]:
    """Bring the configuration of an older version to today's names."""
    augmentation = {OLD_NAMES.get(key, key): value for key, value in config.get("augmentation", {}).items()}
    config = {OLD_NAMES.get(key, key): value for key, value in config.items()}
    config["augmentation"] = augmentation
    if "head" not in config and str(config.get("variant")).endswith("_fc"):  # then part of the name
        config |= {"variant": config["variant"].removesuffix("_fc"), "head": "fc"}
    if "protocol" in config:
        config["max_angle_deg"] = MAX_ANGLE_DEG if config.pop("protocol") == 1 else 0.0
    return config


def _flat(config: dict) -> dict:
    """Return the values of a configuration, and of those within it as `augmentation.flip`."""
    flat: dict[str, Any] = {}
    for name, value in config.items():
        nested = _flat(value) if isinstance(value, dict) else {"": value}
        flat |= {f"{name}.{key}".rstrip("."): value for key, value in nested.items()}
    return flat
