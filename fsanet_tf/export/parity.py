"""Differences between an exported file and the Keras network that it was made from."""

import contextlib
import dataclasses
import io
from collections import Counter
from pathlib import Path

import numpy as np

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.export.operations import FLOAT32, read_operations
from fsanet_tf.geometry.crop import resize_crops
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.networks.network import load_network

NUM_RANDOM_CROPS = 32


@dataclasses.dataclass(frozen=True)
class Parity:
    """Differences between an exported file and the Keras network.

    Attributes:
        file: Its name.
        bytes: Its size.
        mean_deg, max_deg: Mean and largest difference of an angle.
        uncertainty_max_deg: Largest difference of an expected error; None if the file predicts none.
        mae_deg: Mean absolute error; None if the faces have no labels.
        mae_increase_deg: Difference from the Keras network's.
        worst_face_deg: Largest increase of one face's mean absolute error.
        not_float32: Operations of a `.tflite` file whose output is not float32, by kind.
        gpu_refused: Operations that TFLite's GPU delegate would refuse.
    """

    file: str
    bytes: int
    mean_deg: float
    max_deg: float
    uncertainty_max_deg: float | None
    mae_deg: float | None
    mae_increase_deg: float | None
    worst_face_deg: float | None
    not_float32: dict[str, int] | None
    gpu_refused: list[str] | None

    def __str__(self) -> str:
        text = f"{self.file}: {self.bytes / 1024:.0f} KiB, from Keras {self.mean_deg:.2g}° mean, "
        text += f"{self.max_deg:.2g}° at most"
        if self.mae_deg is not None:
            text += f", MAE {self.mae_deg:.3f}° ({self.mae_increase_deg:+.3f}°), "
            text += f"worst face {self.worst_face_deg:+.1f}°"
        return text


@dataclasses.dataclass(frozen=True)
class Samples:
    """Faces to compare on.

    Attributes:
        crops: float32 `(N, size, size, 3)` BGR in [0, 255].
        poses: True poses `(N, 3)` in degrees; None if there are no labels.
    """

    crops: np.ndarray
    poses: np.ndarray | None


def load_samples(path: str | None, image_size: int) -> Samples | None:
    """Load the faces of an `.npz` whose angles lie within ±99°; None if no path is given.

    Raises:
        InputError: If it cannot be used, or contains no such face.
    """
    if path is None:
        return None
    data = load_dataset(path)
    rows = data.rows_within(MAX_ANGLE_DEG)
    if len(rows) == 0:
        raise InputError(f"{path}: no face with angles within 99 degrees")
    return Samples(resize_crops(data.images[rows], image_size).astype(np.float32), data.poses[rows])


def random_samples(image_size: int) -> Samples:
    """Return noise, to compare on if there are no faces."""
    shape = (NUM_RANDOM_CROPS, image_size, image_size, 3)
    return Samples(np.random.default_rng(0).integers(0, 256, shape).astype(np.float32), None)


def spread(crops: np.ndarray, count: int) -> np.ndarray:
    """Select `count` crops at random, always the same."""
    rows = np.random.default_rng(0).permutation(len(crops))[:count]
    return crops[np.sort(rows)]


def compare_with_keras(path: Path, samples: Samples, expected: np.ndarray, network_file: str = "") -> Parity:
    """Load an exported file as a user would and compare it with the Keras network.

    Args:
        path: The file.
        samples: The faces.
        expected: Predictions of Keras: poses `(N, 3)`, perhaps with expected errors as a fourth column.
        network_file: Within a folder, the network's file.
    """
    answers, uncertainty = load_network(path / network_file).predict_with_uncertainty(samples.crops)
    poses = expected[:, :3]
    difference = np.abs(answers - poses)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    labelled: dict[str, float | None] = dict.fromkeys(("mae_deg", "mae_increase_deg", "worst_face_deg"))
    if samples.poses is not None:
        errors, before = (np.abs(p - samples.poses).mean(axis=1) for p in (answers, poses))
        increase = errors - before
        figures = (errors.mean(), increase.mean(), increase.max())
        labelled = dict(zip(labelled, map(float, figures), strict=True))
    not_float32 = gpu_refused = None
    if path.suffix == ".tflite":
        operations = read_operations(path.read_bytes())
        not_float32 = dict(Counter(op.kind for op in operations if op.output_type != FLOAT32))
        gpu_refused = refused_by_gpu(path)
    return Parity(
        file=path.name,
        bytes=sum(p.stat().st_size for p in files),
        mean_deg=float(difference.mean()),
        max_deg=float(difference.max()),
        uncertainty_max_deg=None
        if uncertainty is None
        else float(np.abs(uncertainty - expected[:, 3]).max()),
        **labelled,
        not_float32=not_float32,
        gpu_refused=gpu_refused,
    )


def refused_by_gpu(path: Path) -> list[str]:
    """Return the analyzer's warnings about TFLite's GPU delegate."""
    import tensorflow as tf

    with contextlib.redirect_stdout(io.StringIO()) as text:
        tf.lite.experimental.Analyzer.analyze(model_path=str(path), gpu_compatibility=True)
    lines = [
        line.removeprefix("GPU COMPATIBILITY WARNING: ")
        for line in text.getvalue().splitlines()
        if "GPU COMP" in line
    ]
    return sorted(set(lines))
