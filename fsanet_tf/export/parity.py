"""How far an exported file is from the Keras network that it was made of."""

import contextlib
import dataclasses
import io
from collections import Counter
from pathlib import Path

import numpy as np

from fsanet_tf.crop import resize_crops
from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.export.operations import FLOAT32, read_operations
from fsanet_tf.networks import load_network

NUM_RANDOM_CROPS = 32


@dataclasses.dataclass(frozen=True)
class Parity:
    """How far an exported file is from the Keras network.

    Attributes:
        file: its name.
        bytes: its size.
        mean_deg, max_deg: mean and largest difference of an angle.
        mae_deg: mean absolute error where the faces have labels.
        mae_increase_deg: that, minus the Keras network's.
        worst_face_deg: the largest increase of one face's mean absolute error.
        not_float32: a `.tflite` file's operations whose output is not float32, by kind.
        gpu_refused: what TFLite's GPU delegate would refuse.
    """

    file: str
    bytes: int
    mean_deg: float
    max_deg: float
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
class Faces:
    """Float32 crops `(N, size, size, 3)`, and true poses `(N, 3)` in degrees where there are any."""

    crops: np.ndarray
    poses: np.ndarray | None


def load_faces(path: str | None, image_size: int) -> Faces | None:
    """The faces of protocol 1 of an `.npz`; None where none is given.

    Raises:
        InputError: it cannot be used, or holds no such face.
    """
    if path is None:
        return None
    data = load_dataset(path)
    rows = data.within_protocol(1)
    if len(rows) == 0:
        raise InputError(f"{path}: no face with angles within 99 degrees")
    return Faces(resize_crops(data.images[rows], image_size).astype(np.float32), data.poses[rows])


def random_faces(image_size: int) -> Faces:
    """Noise, to compare on where there are no faces."""
    shape = (NUM_RANDOM_CROPS, image_size, image_size, 3)
    return Faces(np.random.default_rng(0).integers(0, 256, shape).astype(np.float32), None)


def spread(crops: np.ndarray, count: int) -> np.ndarray:
    """`count` crops drawn from all of them, always the same."""
    rows = np.random.default_rng(0).permutation(len(crops))[:count]
    return crops[np.sort(rows)]


def compare(path: Path, faces: Faces, poses: np.ndarray) -> Parity:
    """Load an exported file as a user would and hold it against the Keras network's poses."""
    answers = load_network(path).predict(faces.crops)
    difference = np.abs(answers - poses)
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    labelled: dict[str, float | None] = dict.fromkeys(("mae_deg", "mae_increase_deg", "worst_face_deg"))
    if faces.poses is not None:
        errors, before = (np.abs(p - faces.poses).mean(axis=1) for p in (answers, poses))
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
        **labelled,
        not_float32=not_float32,
        gpu_refused=gpu_refused,
    )


def refused_by_gpu(path: Path) -> list[str]:
    """The analyser's warnings about TFLite's GPU delegate."""
    import tensorflow as tf

    with contextlib.redirect_stdout(io.StringIO()) as text:
        tf.lite.experimental.Analyzer.analyze(model_path=str(path), gpu_compatibility=True)
    lines = [
        line.removeprefix("GPU COMPATIBILITY WARNING: ")
        for line in text.getvalue().splitlines()
        if "GPU COMP" in line
    ]
    return sorted(set(lines))
