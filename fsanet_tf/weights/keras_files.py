"""Weight files: reading any that the project knows, writing `.keras` with its card."""

import zipfile
from pathlib import Path

import keras

import fsanet_tf.layers  # noqa: F401  registers what a file refers to
from fsanet_tf.cards import card_path
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done, require_file, sha256, write_json
from fsanet_tf.pretrained import keras_file
from fsanet_tf.weights.legacy import load_released_weights

EXPECTED = "a network: .keras, or an .h5 released with the original"


def load_model(path: str | Path, variant: str | None = None, compiled: bool = False) -> keras.Model:
    """Load a network from a `.keras` file or one of the original's `.h5` files.

    Args:
        path: the file, whose suffix tells the format; or a shipped network's name.
        variant: refuse another variant than this.
        compiled: restore a checkpoint's optimiser and loss as well.

    Returns:
        A model from `(batch, size, size, 3)` BGR in [0, 255] to `(batch, 3)` yaw, pitch, roll in degrees.

    Raises:
        InputError: no such file, damaged, of another kind or another variant.
    """
    path = keras_file(path)
    if path.suffix in (".h5", ".hdf5"):
        return load_released_weights(path, variant)
    require_file(path, EXPECTED)
    if path.suffix != ".keras":
        raise InputError(f"{path}: expected {EXPECTED}, received a {path.suffix or 'nameless'} file")
    try:
        model = keras.models.load_model(path, compile=compiled, safe_mode=True)
    except (OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: expected {EXPECTED}, could not read it ({reason})") from error
    if len(model.input_shape) != 4 or model.input_shape[3] != 3 or model.output_shape[1:] != (3,):
        raise InputError(
            f"{path}: expected a network from (N, S, S, 3) to (N, 3), "
            f"received one from {model.input_shape} to {model.output_shape}"
        )
    if variant is not None and model.name != variant:
        raise InputError(f"{path}: holds {model.name}, expected {variant}")
    return model


def save_model(path: str | Path, model: keras.Model, card: dict | None = None) -> None:
    """Write a network that was loaded or built as `.keras` and, where given, its card as JSON beside it."""
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(f"{path}: a network is written as .keras, received {path.suffix or 'no suffix'}")
    with replace_when_done(path) as temporary:
        model.save(temporary)
    if card is not None:
        write_json(card_path(path), {**card, "sha256": sha256(path)})
