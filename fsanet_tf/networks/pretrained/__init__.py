"""The networks that come with the package: `wide`; `1x1`, `var`, `noS`, and `fusion`, their mean."""

import json
from pathlib import Path

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.disagreement import ErrorCalibration
from fsanet_tf.io.files import sha256

__all__ = ["list_networks"]

DEFAULT = "wide"  # the most accurate single network, in half of the fusion's time
FUSION = "fusion"
FUSED = ("1x1", "noS", "var")  # its members
FOLDER = Path(__file__).parent


def list_networks() -> list[str]:
    """Return the names of the networks that come with the package.

    Example:
        >>> fsanet_tf.list_networks()
        ['wide', 'fusion', '1x1', 'noS', 'var']
    """
    others = [name for name in shipped_networks() if name != DEFAULT]
    return [DEFAULT, FUSION, *others]


def shipped_networks() -> dict[str, Path]:
    """Return the `.tflite` files by name; a `.keras` file is next to each."""
    return {path.stem: path for path in sorted(FOLDER.glob("*.tflite"))}


def fusion_members() -> dict[str, Path]:
    """Return the `.tflite` files of the networks that `fusion` averages, by name."""
    return {name: path for name, path in shipped_networks().items() if name in FUSED}


def fusion_calibration() -> ErrorCalibration:
    """Return how the error of `fusion` depends on its members' disagreement."""
    content = json.loads((FOLDER / f"{FUSION}.json").read_text(encoding="utf-8"))
    return ErrorCalibration(**content["uncertainty"])


def network_file(network: str | Path) -> Path:
    """Resolve a path, or the name of a shipped network, to the file that inference loads (`.tflite`).

    Raises:
        InputError: If there is neither.
    """
    path = shipped_networks().get(str(network), Path(network))
    if not path.exists():
        raise InputError(
            f"{network}: no such network (a file, or a shipped one: {', '.join(list_networks())})"
        )
    return path


def hash_network(network: str | Path) -> list[str]:
    """Return the SHA-256 of the files that inference loads: of one, or of each member's of `fusion`.

    Raises:
        InputError: If there is no such network.
    """
    is_fusion = str(network) == FUSION
    return [sha256(path) for path in (fusion_members().values() if is_fusion else [network_file(network)])]


def keras_file(network: str | Path) -> Path:
    """Resolve a path, or the name of a shipped network, to the file that training loads (`.keras`).

    Raises:
        InputError: If there is neither, or the name is that of a mean.
    """
    if str(network) == FUSION:
        raise InputError(
            f"{FUSION}: is a mean of networks; to average it with others, name {', '.join(FUSED)}"
        )
    path = network_file(network)
    return path.with_suffix(".keras") if path.parent == FOLDER else path
