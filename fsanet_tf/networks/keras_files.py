"""Networks as Keras models: `.keras` files that contain their card, and the original's `.h5`."""

import contextlib
import dataclasses
import json
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from fsanet_tf.errors import InputError, one_line
from fsanet_tf.io.files import library_path, replace_when_done, require_file
from fsanet_tf.models.fusion import build_fusion
from fsanet_tf.models.pose_network import PoseNetwork
from fsanet_tf.networks.card import (
    OUTPUTS,
    POSE,
    NetworkCard,
    about_mean,
    card_or_default,
    require_one_input,
)
from fsanet_tf.networks.pretrained import network_calibration, network_files
from fsanet_tf.networks.released.legacy import load_released_weights
from fsanet_tf.networks.released.table import about_released
from fsanet_tf.registry import EXTENSIONS_VARIABLE, load_extensions

__all__ = ["load_model", "save_model"]

EXPECTED_FILE = "a network: .keras, or an .h5 released with the original"
KERAS_ERRORS = (
    OSError, ValueError, KeyError, TypeError, EOFError, AttributeError, zipfile.BadZipFile, RecursionError,
)  # fmt: skip


def load_model(
    network: str | Path | Sequence[str | Path], variant: str | None = None, mirror: bool = False
) -> keras.Model:
    """Load a network as a Keras model; several are averaged by one model.

    Args:
        network: A `.keras` file, one of the original's `.h5` files, the name of a shipped network, or
            several.
        variant: Refuse a file of another variant than this.
        mirror: Average with the poses of the mirrored images.

    Returns:
        A model from `(batch, size, size, 3)` BGR in [0, 255] to outputs by name, `pose` `(batch, 3)` among
        them: yaw, pitch, roll in degrees. Its `card` contains the crop rule.

    Raises:
        InputError: If there is no such file, it is damaged, of another kind or another variant, or several
            networks expect different inputs.

    Example:
        >>> fsanet_tf.load_model("var").name
        'fsanet_var_capsule'
    """
    networks: list[Any] = list(network) if isinstance(network, list | tuple) else [network]
    paths: list[Path] = []
    for member in networks:
        files = network_files(member, ".keras")
        if len(files) > 1 and len(networks) > 1:
            names = ", ".join(file.stem for file in files)
            raise InputError(f"{member}: is a mean of networks; to average it with others, name {names}")
        paths += files
    models = [_load_file(path, variant) for path in paths]
    if len(models) == 1 and not mirror:
        return models[0]
    cards = [make_card(model) for model in models]
    require_one_input(map(str, paths), cards)
    for number, model in enumerate(models[1:], 2):
        if model.name in [other.name for other in models[: number - 1]]:  # folds of one run
            model.name = f"{model.name}_{number}"
    name = (models[0].name if len(models) == 1 else "fsanet_fusion") + ("_mirror" if mirror else "")
    calibration = network_calibration(networks[0]) if len(networks) == 1 else None
    fusion = build_fusion(models, name, mirror=mirror, calibration=calibration)
    fusion.card = make_card(fusion, dataclasses.replace(cards[0], about=about_mean(cards))).as_json()
    return fusion


def _load_file(path: Path, variant: str | None) -> PoseNetwork:
    is_released = path.suffix in (".h5", ".hdf5")
    model = load_released_weights(path, variant) if is_released else _load_keras(path)
    if variant is not None and model.name != variant:
        raise InputError(f"{path}: contains {model.name}, expected {variant}")
    card = None
    if not model.card:
        card = card_or_default(path)
        origin = about_released(path) if is_released else {}
        card = dataclasses.replace(card, about={**origin, **card.about})
    model.card = make_card(model, card).as_json()
    return model


def _load_keras(path: Path) -> PoseNetwork:
    load_extensions()  # which may register layers
    require_file(path, EXPECTED_FILE)
    if path.suffix != ".keras":
        raise InputError(f"{path}: expected {EXPECTED_FILE}, received a {path.suffix or 'nameless'} file")
    try:
        with library_path(path) as name:
            model = keras.models.load_model(name, compile=False, safe_mode=True)
    except KERAS_ERRORS as error:
        reason = _unregistered(path) or one_line(error)
        raise InputError(f"{path}: expected {EXPECTED_FILE}, could not read it ({reason})") from error
    return pose_network(path, model)


def pose_network(name: str | Path, model: Any) -> PoseNetwork:
    """Return a Keras model as one with named outputs; a single output without a name is the pose.

    Args:
        name: What an error calls it.
        model: The model.

    Raises:
        InputError: If it is not a model from square images to poses.
    """
    if isinstance(model, PoseNetwork):
        return model
    if not isinstance(model, keras.Model):
        raise InputError(f"{name}: expected a Keras model, received {type(model).__name__}")
    if isinstance(model, keras.Sequential) and model.built:
        model = keras.Model(model.inputs, model.outputs, name=model.name)
    try:
        outputs, size = model.output, model.input_shape
    except AttributeError as error:
        raise InputError(
            f"{name}: expected a network of (N, S, S, 3), received one without an input"
        ) from error
    if not isinstance(outputs, dict):
        outputs = {POSE: outputs[0] if isinstance(outputs, list) and len(outputs) == 1 else outputs}
    pose = getattr(outputs.get(POSE), "shape", None)
    if not isinstance(size, tuple) or len(size) != 4 or size[3] != 3 or size[1] != size[2] or not size[1]:
        raise InputError(f"{name}: expected a network of (N, S, S, 3), received one of {size}")
    if pose is None or tuple(pose[1:]) != (3,):
        raise InputError(
            f"{name}: expected a network with an output pose (N, 3), received {model.output_shape}"
        )
    return PoseNetwork(model.input, outputs, name=model.name)


def _unregistered(path: Path) -> str:
    """Say which classes of a file nothing has registered; empty if there are none."""
    with contextlib.suppress(*KERAS_ERRORS), zipfile.ZipFile(path) as archive:
        config = archive.read("config.json").decode()
        names = re.findall('"registered_name": "([^"]*>[^"]*)"', config)
        names += re.findall('"module": null, "class_name": "([^">_]*)".*?"registered_name": "\\1"', config)
        unknown = {name for name in names if not keras.saving.get_registered_object(name)}
        if unknown:
            return (
                f"unknown: {', '.join(sorted(unknown))}; an extension? {EXTENSIONS_VARIABLE} names its file"
            )
    return ""


def make_card(model: keras.Model, card: NetworkCard | None = None) -> NetworkCard:
    """Return the card of a model: its size and outputs, and the rest from another card.

    Args:
        model: The network.
        card: The other card; None: the model's own, or that of the original's crop.
    """
    card = card or NetworkCard.from_json(getattr(model, "card", None) or {})
    outputs = {name: OUTPUTS.get(name, f"{tensor.shape}") for name, tensor in model.output.items()}
    return dataclasses.replace(card, image_size=model.input_shape[1], outputs=outputs)


def save_model(path: str | Path, model: keras.Model, card: NetworkCard | None = None) -> None:
    """Write a network to a `.keras` file, atomically.

    Args:
        path: The `.keras` file.
        model: The network.
        card: Card to store in the file, which completes size and outputs; None: the model's own.

    Raises:
        InputError: If the suffix is another, this is no network, or the file cannot be written.

    Example:
        >>> fsanet_tf.save_model("net.keras", fsanet_tf.build_model("ssrnet_mt"))
    """
    path = Path(path)
    if path.suffix != ".keras":
        raise InputError(f"{path}: a network is written as .keras, received {path.suffix or 'no suffix'}")
    model = pose_network(path, model)
    model.card = make_card(model, card).as_json()
    _number_slices(model)
    with replace_when_done(path) as temporary:
        model.save(temporary)
        _make_reproducible(temporary)


def _number_slices(model: keras.Model) -> None:
    """Name the slices of a model by their order; Keras's numbers count those of earlier models."""
    slices = (operation for operation in model.operations if operation.name.startswith("get_item"))
    for number, operation in enumerate(slices):
        operation.name = f"get_item_{number}"


def _make_reproducible(path: Path) -> None:
    """Rewrite a `.keras` file without the time of writing and memory addresses.

    Equal networks then have equal files.
    """
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in sorted(archive.namelist())}
    metadata = json.loads(members["metadata.json"])
    members["metadata.json"] = json.dumps({**metadata, "date_saved": ""}).encode()
    numbers: dict[bytes, int] = {}
    members["config.json"] = re.sub(
        rb'"shared_object_id": (\d+)',
        lambda match: b'"shared_object_id": %d' % numbers.setdefault(match[1], len(numbers) + 1),
        members["config.json"],
    )
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
