"""The files of a training run's working directory, without importing TensorFlow."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.training.config import TrainingConfig

CONFIG_FILE, LOG_FILE, CURVE_FILE = "config.json", "log.csv", "curve.png"
LAST_FILE, BEST_FILE, FINAL_FILE = "last.keras", "best.keras", "final.keras"


OLD_NAMES = {"colour": "color", "greyscale": "grayscale"}


def config_as_json(config: TrainingConfig) -> dict[str, Any]:
    """Return the configuration as JSON represents it."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def is_finished(config: TrainingConfig, output_dir: Path) -> bool:
    """Return whether a directory contains the end of this very run.

    Raises:
        InputError: If it contains a run of another configuration; the message says what differs.
    """
    path = output_dir / CONFIG_FILE
    if not path.exists():
        return False
    kept = _flat(config_as_json(TrainingConfig(data=()))) | _flat(read_config(output_dir))
    wanted = _flat(config_as_json(config))
    changes = [
        f"{key} was {kept.get(key)!r}, is {wanted.get(key)!r}"
        for key in sorted(kept.keys() | wanted.keys())
        if kept.get(key) != wanted.get(key)
    ]
    if changes:
        raise InputError(f"{path}: this directory contains another run: {'; '.join(changes)}")
    return (output_dir / FINAL_FILE).exists()


def read_config(output_dir: Path) -> dict[str, Any]:
    """Read the configuration of a run, of an older version as well.

    Raises:
        InputError: If it is missing or damaged.
    """
    path = output_dir / CONFIG_FILE
    try:
        return _renamed(json.loads(path.read_text()))
    except (OSError, ValueError, AttributeError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: expected the JSON of an earlier run ({error})") from error


def _renamed(config: dict[str, Any]) -> dict[str, Any]:
    """Bring the configuration of an older version to today's names."""
    augmentation = {OLD_NAMES.get(key, key): value for key, value in config.get("augmentation", {}).items()}
    config = {**config, "augmentation": augmentation}
    if "protocol" in config:
        config["max_angle_deg"] = MAX_ANGLE_DEG if config.pop("protocol") == 1 else 0.0
    return config


def _flat(config: dict) -> dict:
    return {
        key: value
        for name, part in config.items()
        for key, value in (part.items() if isinstance(part, dict) else [(name, part)])
    }
