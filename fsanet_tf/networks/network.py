"""Networks as functions, whatever file they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.io.files import require_file
from fsanet_tf.networks.card import read_crop_rule
from fsanet_tf.networks.pretrained import FUSION, list_networks, network_file, shipped_networks
from fsanet_tf.networks.runtimes import RUNTIMES, Loader, load_saved_model
from fsanet_tf.parallel import DEFAULT_THREADS

__all__ = ["Network", "load_network"]

EXPECTED = f"a network: {', '.join(RUNTIMES)} or a SavedModel folder"


@dataclasses.dataclass(frozen=True)
class Network:
    """A network and what its card says about it.

    Any number of threads may call `predict`.

    Attributes:
        predict: float32 BGR crops `(N, size, size, 3)` in [0, 255] to float32 poses `(N, 3)`: yaw,
            pitch, roll in degrees.
        image_size: Side of its input in pixels.
        crop: How it expects faces to be cropped around their landmark boxes.
        name: The path or name it was loaded by.

    Example:
        >>> network = fsanet_tf.load_network("var")
        >>> network.predict(np.zeros((2, 64, 64, 3), np.float32)).shape
        (2, 3)
    """

    predict: Callable[[np.ndarray], np.ndarray]
    image_size: int
    crop: CropRule = LANDMARK_CROP
    name: str = ""
    num_threads: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return load_network, (self.name, self.num_threads)  # copies and pickles load it again


def load_network(source: str | Path, num_threads: int | None = None) -> Network:
    """Load a network by path, or a shipped one by name.

    A `.tflite` or `.onnx` file needs no TensorFlow.

    Args:
        source: A `.tflite`, `.onnx`, `.keras`, released `.h5`, or frozen `.pb` file, a SavedModel folder, or
            one of `list_networks()`.
        num_threads: Threads for `.tflite` and `.onnx`; default: one per core, at most four. TensorFlow's
            threads belong to the whole process (`tf.config.threading`).

    Returns:
        The network; `predict` is thread-safe.

    Raises:
        InputError: If there is no such network, or the file cannot be used.
        MissingExtraError: If the runtime of the file is not installed.

    Example:
        >>> fsanet_tf.load_network("fusion").image_size
        64
    """
    if str(source) == FUSION:
        return _load_fusion(num_threads)
    path = network_file(source)
    if not path.exists():
        raise InputError(
            f"{source}: no such network (a file, or a shipped one: {', '.join(list_networks())})"
        )
    load: Loader
    if path.is_dir():
        load = load_saved_model
    elif path.suffix in RUNTIMES:
        load = RUNTIMES[require_file(path, EXPECTED).suffix]
    else:
        raise InputError(f"{path}: expected {EXPECTED}")
    predict, image_size = load(path, num_threads or DEFAULT_THREADS)
    return Network(predict, image_size, read_crop_rule(path), str(source), num_threads)


def _load_fusion(num_threads: int | None) -> Network:
    members = [load_network(path, num_threads) for path in shipped_networks().values()]
    return dataclasses.replace(
        members[0],
        predict=lambda crops: np.mean([member.predict(crops) for member in members], axis=0),
        name=FUSION,
    )
