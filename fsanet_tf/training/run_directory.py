"""What a training's working directory holds, and whose it is; without importing TensorFlow."""

import dataclasses
import json
from pathlib import Path

from fsanet_tf.errors import InputError
from fsanet_tf.training.config import TrainingConfig

CONFIG_FILE, LOG_FILE, CURVE_FILE = "config.json", "log.csv", "curve.png"
LAST_FILE, BEST_FILE, FINAL_FILE = "last.keras", "best.keras", "final.keras"


def config_as_json(config: TrainingConfig) -> dict:
    return json.loads(json.dumps(dataclasses.asdict(config)))


def is_finished(config: TrainingConfig, output_dir: Path) -> bool:
    """Whether a directory holds the end of this very run.

    Raises:
        InputError: it holds a run of another configuration; the message says what differs.
    """
    path = output_dir / CONFIG_FILE
    if not path.exists():
        return False
    try:
        kept = _flat(json.loads(path.read_text()))
    except (ValueError, AttributeError) as error:
        raise InputError(f"{path}: expected the JSON of an earlier run ({error})") from error
    wanted = _flat(config_as_json(config))
    changes = [
        f"{key} was {kept.get(key)!r}, is {wanted.get(key)!r}"
        for key in sorted(kept.keys() | wanted.keys())
        if kept.get(key) != wanted.get(key)
    ]
    if changes:
        raise InputError(f"{path}: this directory holds another run: {'; '.join(changes)}")
    return (output_dir / FINAL_FILE).exists()


def _flat(config: dict) -> dict:
    return {
        key: value
        for name, part in config.items()
        for key, value in (part.items() if isinstance(part, dict) else [(name, part)])
    }
