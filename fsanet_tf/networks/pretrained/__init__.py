"""The networks of the package: `strided`, also in 8 bits; `1x1`, `var`, `noS`, and `fusion`, their mean.

Their `.tflite` files have 16-bit weights.
"""

import json
from pathlib import Path
from typing import Any

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.disagreement import ErrorCalibration
from fsanet_tf.io.files import sha256

__all__ = ["list_networks"]

FOLDER = Path(__file__).parent
DEFAULT, FUSION = "strided", "fusion"  # the most accurate, and the mean of the paper's
DEFAULT_INT8 = f"{DEFAULT}_int8"  # the same network in 8 bits
FUSED = ("1x1", "noS", "var")
MEMBERS = {name: (name,) for name in (DEFAULT, DEFAULT_INT8, *FUSED)} | {FUSION: FUSED}


def list_networks() -> list[str]:
    """Return the names of the networks that come with the package.

    Example:
        >>> fsanet_tf.list_networks()
        ['strided', 'strided_int8', 'fusion', '1x1', 'noS', 'var']
    """
    return [DEFAULT, DEFAULT_INT8, FUSION, *FUSED]


def network_files(network: str | Path, suffix: str = ".tflite") -> list[Path]:
    """Resolve a path, or the name of a shipped network, to its files: one, but for a mean's members.

    Args:
        network: The path or name.
        suffix: For shipped networks: `.tflite`, which inference loads, or `.keras`, which training loads.

    Raises:
        InputError: If there is neither, or the network of 8 bits is to be trained.
    """
    if not isinstance(network, str | Path):
        raise InputError(
            f"network: expected a file or a shipped network's name, received {type(network).__name__}"
        )
    members = MEMBERS.get(str(network))
    if members == (DEFAULT_INT8,) and suffix != ".tflite":
        raise InputError(f"{DEFAULT_INT8}: has 8-bit weights, which Keras does not load; expected {DEFAULT}")
    if members:
        return [FOLDER / f"{member}{suffix}" for member in members]
    if not Path(network).exists():
        raise InputError(
            f"{network}: no such network (a file, or a shipped one: {', '.join(list_networks())})"
        )
    return [Path(network)]


def network_calibration(network: Any) -> ErrorCalibration | None:
    """Return how the error of a shipped mean depends on its members' disagreement; None for others."""
    if str(network) != FUSION:
        return None
    content = json.loads((FOLDER / f"{FUSION}.json").read_text(encoding="utf-8"))
    return ErrorCalibration(**content["uncertainty"])


def network_sha256(network: str | Path, suffix: str = ".tflite") -> dict[str, str]:
    """Return the SHA-256 of each of the `network_files`, by its name; of a folder, that of its files' hashes.

    Raises:
        InputError: If there is no such network.
    """
    return {path.name: sha256(path) for path in network_files(network, suffix)}
