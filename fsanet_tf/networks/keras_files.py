"""Keras files of networks: `.keras` with a card, and the original's `.h5`."""

import zipfile
from pathlib import Path
from typing import Any

import keras

import fsanet_tf.models.pose_network  # noqa: F401  registers the classes in the files
from fsanet_tf.errors import InputError
from fsanet_tf.io.files import replace_when_done, require_file, sha256, write_json
from fsanet_tf.networks.card import card_path
from fsanet_tf.networks.pretrained import keras_file
from fsanet_tf.networks.released.legacy import load_released_weights
from fsanet_tf.registry import load_extensions

__all__ = ["load_model", "save_model"]

EXPECTED_FILE = "a network: .keras, or an .h5 released with the original"


def load_model(path: str | Path, variant: str | None = None, compiled: bool = False) -> keras.Model:
    """Load a network from a `.keras` file or one of the original's `.h5` files.

    Args:
        path: The file, whose suffix tells the format, or the name of a shipped network.
        variant: Refuse another variant than this.
        compiled: Restore a checkpoint's optimizer and loss as well.

    Returns:
        A model from `(batch, size, size, 3)` BGR in [0, 255] to `(batch, 3)`: yaw, pitch, roll in degrees.

    Raises:
        InputError: If there is no such file, or it is damaged, of another kind or another variant.

    Example:
        >>> fsanet_tf.load_model("var").name
        'fsanet_var_capsule'
    """
    path = keras_file(path)
    if path.suffix in (".h5", ".hdf5"):
        return load_released_weights(path, variant)
    load_extensions()  # which may register layers
    require_file(path, EXPECTED_FILE)
    if path.suffix != ".keras":
        raise InputError(f"{path}: expected {EXPECTED_FILE}, received a {path.suffix or 'nameless'} file")
    try:
        model = keras.models.load_model(path, compile=compiled, safe_mode=True)
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        AttributeError,
        zipfile.BadZipFile,
        RecursionError,
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: expected {EXPECTED_FILE}, could not read it ({reason})") from error
    if len(model.input_shape) != 4 or model.input_shape[3] != 3 or model.output_shape[1:] != (3,):
        raise InputError(
            f"{path}: expected a network from (N, S, S, 3) to (N, 3), "
            f"received one from {model.input_shape} to {model.output_shape}"
        )
    if variant is not None and model.name != variant:
        raise InputError(f"{path}: contains {model.name}, expected {variant}")
    return model


def save_model(path: str | Path, model: keras.Model, card: dict[str, Any] | None = None) -> None:
    """Write a network to a `.keras` file, atomically.

    Args:
        path: The `.keras` file.
        model: The network.
        card: Written as JSON next to it; None: no card.

    Raises:
        InputError: If the suffix is another, or the file cannot be written.

    Example:
        >>> fsanet_tf.save_model("net.keras", fsanet_tf.build_model("ssrnet_mt"))
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(f"{path}: a network is written as .keras, received {path.suffix or 'no suffix'}")
    with replace_when_done(path) as temporary:
        model.save(temporary)
    if card is not None:
        write_json(card_path(path), {**card, "sha256": sha256(path)})
