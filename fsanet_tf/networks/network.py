"""Networks as functions, whatever file they come from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import LANDMARK_CROP, CropRule
from fsanet_tf.geometry.pose import mirror_poses, rotation_matrices
from fsanet_tf.io.files import require_file
from fsanet_tf.networks.card import read_card, read_crop_rule
from fsanet_tf.networks.pretrained import (
    FUSION,
    fusion_card,
    list_networks,
    network_file,
    shipped_networks,
)
from fsanet_tf.networks.runtimes import RUNTIMES, Loader, load_saved_model
from fsanet_tf.parallel import DEFAULT_THREADS

__all__ = ["Network", "load_network"]


@dataclasses.dataclass(frozen=True)
class Uncertainty:
    """How the error of a fusion depends on its members' poses, as measured on validation faces.

    Attributes:
        offset_deg: Expected geodesic error of a frontal face where the members agree, in degrees.
        slope: Increase per degree of disagreement.
        turn_slope: Increase per degree that the head is turned.
    """

    offset_deg: float
    slope: float
    turn_slope: float

    def expected_error(self, poses_deg: np.ndarray) -> np.ndarray:
        """Compute the expected geodesic errors `(N,)` in degrees of members' poses `(members, N, 3)`."""
        disagreement, turn = disagreement_and_turn(poses_deg)
        return (self.offset_deg + self.slope * disagreement + self.turn_slope * turn).astype(np.float32)


def disagreement_and_turn(poses_deg: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute what a fusion's error depends on.

    Args:
        poses_deg: `(members, N, 3)`: yaw, pitch, roll in degrees.

    Returns:
        The mean distance of the members' rotations from their mean, `(N,)`, and the distance of their mean
        from the frontal pose, `(N,)`; both in degrees, exact for small angles.
    """
    rotations = rotation_matrices(poses_deg)
    mean = rotations.mean(axis=0)
    return _distance_deg(rotations, mean).mean(axis=0), _distance_deg(mean, np.eye(3))


def _distance_deg(rotations: np.ndarray, others: np.ndarray) -> np.ndarray:
    return np.rad2deg(
        np.linalg.norm(rotations - others, axis=(-2, -1)) / np.sqrt(2.0)
    )  # |R − R'| is √2 angle


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
        num_threads, trust: As given to `load_network`.
        members: The networks that a fusion averages; empty for a single network.
        uncertainty: Calibration of a fusion; None: its members predict no uncertainty.
        predict_columns: As `predict`, with the expected geodesic errors as a fourth column if the file
            predicts them; None: it does not.

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
    trust: bool = False
    members: tuple[Network, ...] = ()
    uncertainty: Uncertainty | None = None
    predict_columns: Callable[[np.ndarray], np.ndarray] | None = None

    def predict_with_uncertainty(
        self, crops: np.ndarray, mirror: bool = False
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Predict poses and how far off they are expected to be.

        Args:
            crops: float32 BGR `(N, size, size, 3)`, in [0, 255].
            mirror: Average with the predictions for the mirrored crops: more accurate, in twice the time.

        Returns:
            float32 poses `(N, 3)` in degrees, and the expected geodesic errors `(N,)` in degrees; None for
            a single network, and for a fusion that is not calibrated.
        """
        networks = self.members or (self,)
        columns = np.stack([(net.predict_columns or net.predict)(crops) for net in networks])
        poses = columns[..., :3]  # (members, N, 3)
        uncertainty = self.uncertainty.expected_error(poses) if self.uncertainty else None
        if columns.shape[-1] > 3:  # an exported fusion predicts its own
            uncertainty = columns[0, :, 3]
        if mirror:
            flipped = np.ascontiguousarray(crops[:, :, ::-1])
            poses = np.concatenate([poses, [mirror_poses(network.predict(flipped)) for network in networks]])
        return poses.mean(axis=0, dtype=np.float64).astype(np.float32), uncertainty

    def __reduce__(self) -> tuple[Any, ...]:
        return load_network, (self.name, self.num_threads, self.trust)  # copies and pickles load it again


def load_network(source: str | Path, num_threads: int | None = None, trust: bool = False) -> Network:
    """Load a network by path, or a shipped one by name.

    A `.tflite` or `.onnx` file needs no TensorFlow.

    Args:
        source: A `.tflite`, `.onnx`, `.keras`, released `.h5`, or frozen `.pb` file, a SavedModel folder, or
            one of `list_networks()`.
        num_threads: Threads for `.tflite` and `.onnx`; default: one per core, at most four. TensorFlow's
            threads belong to the whole process (`tf.config.threading`).
        trust: Load frozen graphs and SavedModels even if they contain operations that could read or write
            files, open a connection or call Python.

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
    expected = f"a network: {', '.join(RUNTIMES)} or a SavedModel folder"
    load: Loader
    if path.is_dir():
        load = load_saved_model
    elif path.suffix in RUNTIMES:
        load = RUNTIMES[require_file(path, expected).suffix]
    else:
        raise InputError(f"{path}: expected {expected}")
    columns, image_size = load(path, num_threads or DEFAULT_THREADS, trust)
    return Network(
        lambda crops: columns(crops)[:, :3],
        image_size,
        read_crop_rule(path),
        str(source),
        num_threads,
        trust,
        predict_columns=columns,
    )


def shipped_uncertainty() -> Uncertainty | None:
    """Return the calibration of the shipped fusion; None if its card has none."""
    calibration = read_card(fusion_card()).get("uncertainty")
    return Uncertainty(**calibration) if calibration else None


def _load_fusion(num_threads: int | None) -> Network:
    members = [load_network(path, num_threads) for path in shipped_networks().values()]
    return dataclasses.replace(
        members[0],
        predict=lambda crops: np.mean([member.predict(crops) for member in members], axis=0),
        name=FUSION,
        members=tuple(members),
        uncertainty=shipped_uncertainty(),
        predict_columns=None,
    )
