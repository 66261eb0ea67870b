"""Differences between an exported file and the Keras network that it was made from."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import statistics
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.data.dataset import load_dataset
from fsanet_tf.errors import InputError
from fsanet_tf.export.config import COREML, FORMATS
from fsanet_tf.export.operations import FLOAT32, read_operations
from fsanet_tf.geometry.crop import CropRule, crop_face, resize_crops
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE
from fsanet_tf.networks.network import Network, load_network, predict_crops

ASTRONAUT_BOX = (190.0, 80.0, 262.0, 170.0)  # of the face in the packaged photo
NUM_ASTRONAUTS = 32
OWN_LABELS_DEG = 0.2  # mean error below which labels are not another's
TIMED_CALLS, WARMUP_CALLS = 30, 5
TIMED = (".tflite", ".onnx")
# Mean difference from Keras in degrees that is accepted without labels, by the end of the file's name.
MAX_DIFFERENCE_DEG = {"_float16.tflite": 0.5, "_dynamic.tflite": 2.0, "_int8.tflite": 2.0, "": 0.05}


@dataclasses.dataclass(frozen=True)
class Parity:
    """Differences between an exported file and the Keras network.

    Attributes:
        file: Its name.
        bytes: Its size.
        mean_deg, max_deg: Mean and largest difference of an angle; None for CoreML's, which Apple's systems
            alone run.
        max_differences: Largest difference of each other output, by name.
        mae_deg: Mean absolute error; None if the faces have no labels.
        mae_increase_deg: Difference from the Keras network's.
        worst_face_deg: Largest increase of one face's mean absolute error.
        ms_per_face: Median milliseconds of a call with one face and one thread on this machine; None for
            formats that TensorFlow runs.
        not_float32: Operations of a `.tflite` file whose output is not float32, by kind.
        gpu_refused: Operations that TFLite's GPU delegate would refuse.
    """

    file: str
    bytes: int
    mean_deg: float | None = None
    max_deg: float | None = None
    max_differences: dict[str, float] = dataclasses.field(default_factory=dict)
    mae_deg: float | None = None
    mae_increase_deg: float | None = None
    worst_face_deg: float | None = None
    ms_per_face: float | None = None
    not_float32: dict[str, int] | None = None
    gpu_refused: list[str] | None = None

    def __str__(self) -> str:
        text = f"{self.file}: {self.bytes / 1024:.0f} KiB, "
        if self.mean_deg is None:
            return f"{text}not compared: CoreML runs on Apple's systems only"
        text += f"from Keras {self.mean_deg:.2g}° mean, {self.max_deg:.2g}° at most"
        if self.mae_deg is not None:
            text += f", MAE {self.mae_deg:.3f}° ({self.mae_increase_deg:+.3f}°), "
            text += f"worst face {self.worst_face_deg:+.1f}°"
        return text if self.ms_per_face is None else f"{text}, {self.ms_per_face:.2f} ms per face"


@dataclasses.dataclass(frozen=True)
class Samples:
    """Faces to compare on.

    Attributes:
        crops: float32 `(N, size, size, 3)` BGR in [0, 255].
        poses: True poses `(N, 3)` in degrees; None if there are no labels, or they are a network's answers.
        origin: What they are, for people.
    """

    crops: np.ndarray
    poses: np.ndarray | None
    origin: str

    def without_own_labels(self, expected: Mapping[str, np.ndarray]) -> Samples:
        """Return the faces without their labels, if those are what the network itself predicts."""
        if self.poses is None or np.abs(expected[POSE] - self.poses).mean() > OWN_LABELS_DEG:
            return self
        return dataclasses.replace(self, poses=None, origin=f"{self.origin}, labeled by this network")


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
    crops = resize_crops(data.images[rows], image_size).astype(np.float32)
    origin = f"{len(rows)} faces of {path}"
    if network := data.labeled_by:
        return Samples(crops, None, f"{origin}, labeled by {network}")
    return Samples(crops, data.poses[rows], origin)


def astronaut_samples(image_size: int, rule: CropRule) -> Samples:
    """Return crops of the packaged photo's face, moved, scaled, mirrored, and darker or brighter."""
    photo, random = read_image("astronaut"), np.random.default_rng(0)
    left, top, right, bottom = ASTRONAUT_BOX
    crops = []
    for i in range(NUM_ASTRONAUTS):
        scale, x, y = random.uniform(0.8, 1.25), *random.uniform(-15, 15, 2)
        half_width, half_height = scale * (right - left) / 2, scale * (bottom - top) / 2
        x, y = x + (left + right) / 2, y + (top + bottom) / 2
        crop = crop_face(
            photo, (x - half_width, y - half_height, x + half_width, y + half_height), rule, image_size
        )
        crops.append(np.clip(crop[:, :: 1 if i % 2 else -1] * random.uniform(0.5, 1.5), 0, 255))
    origin = f"{NUM_ASTRONAUTS} crops of the packaged photo (parity_data names your faces)"
    return Samples(np.stack(crops).astype(np.float32), None, origin)


def spread(faces: np.ndarray, count: int) -> np.ndarray:
    """Select `count` crops, or rows of faces, at random, always the same."""
    chosen = np.random.default_rng(0).permutation(len(faces))[:count]
    return faces[np.sort(chosen)]


def compare_with_keras(
    path: Path, samples: Samples, expected: Mapping[str, np.ndarray], network_file: str = ""
) -> Parity:
    """Load an exported file as a user would and compare it with the Keras network; CoreML's is only measured.

    Args:
        path: The file.
        samples: The faces.
        expected: Outputs of Keras by name.
        network_file: Within a folder, the network's file.

    Raises:
        InputError: If the file lacks an output, or one is not finite.
    """
    files = [path] if path.is_file() else [p for p in path.rglob("*") if p.is_file()]
    size = sum(p.stat().st_size for p in files)
    if path.suffix == FORMATS[COREML]:
        return Parity(path.name, size)
    network = load_network(path / network_file, num_threads=1)
    answers = predict_crops(network, samples.crops)
    if answers.keys() != expected.keys():
        raise InputError(
            f"{path.name}: expected the outputs {', '.join(expected)}, received {', '.join(answers)}"
        )
    differences = {name: np.abs(values - expected[name]) for name, values in answers.items()}
    pose_difference = differences.pop(POSE)
    further: dict[str, Any] = {}
    if samples.poses is not None:
        errors, before = (np.abs(p[POSE] - samples.poses).mean(axis=1) for p in (answers, expected))
        further["mae_deg"] = float(errors.mean())
        further["mae_increase_deg"] = float((errors - before).mean())
        further["worst_face_deg"] = float((errors - before).max())
    if path.suffix == ".tflite":
        operations = read_operations(path.read_bytes())
        further["not_float32"] = dict(Counter(op.kind for op in operations if op.output_type != FLOAT32))
        further["gpu_refused"] = refused_by_gpu(path)
    if path.suffix in TIMED:
        further["ms_per_face"] = _milliseconds(network, samples.crops[:1])
    return Parity(
        file=path.name,
        bytes=size,
        mean_deg=float(pose_difference.mean()),
        max_deg=float(pose_difference.max()),
        max_differences={name: float(values.max()) for name, values in differences.items()},
        **further,
    )


def require_parity(row: Parity, max_mae_increase: float) -> Parity:
    """Return the row; refuse a file whose poses differ too much from the Keras network's.

    Raises:
        InputError: If its error on labeled faces has grown by more than `max_mae_increase`, or, without
            labels, its poses are further from Keras's than the format's limit.
    """
    if row.mae_increase_deg is not None:
        if row.mae_increase_deg > max_mae_increase:
            raise InputError(
                f"{row.file}: not written: its MAE is {row.mae_deg:.3f}°, {row.mae_increase_deg:+.3f}° from "
                f"the Keras network's; expected at most {max_mae_increase:+.3f}°"
            )
        return row
    if row.mean_deg is None:
        return row
    limit = next(limit for ending, limit in MAX_DIFFERENCE_DEG.items() if row.file.endswith(ending))
    if row.mean_deg > limit:
        raise InputError(
            f"{row.file}: not written: its poses are {row.mean_deg:.2f}° from the Keras network's in the "
            f"mean; expected at most {limit:g}°"
        )
    return row


def _milliseconds(network: Network, crop: np.ndarray) -> float:
    times = []
    for _ in range(WARMUP_CALLS + TIMED_CALLS):
        start = time.perf_counter()
        network.predict(crop)
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times[WARMUP_CALLS:])


def refused_by_gpu(path: Path) -> list[str]:
    """Return the analyzer's warnings about TFLite's GPU delegate."""
    import tensorflow as tf

    with contextlib.redirect_stdout(io.StringIO()) as text:
        tf.lite.experimental.Analyzer.analyze(model_content=path.read_bytes(), gpu_compatibility=True)
    lines = [
        line.removeprefix("GPU COMPATIBILITY WARNING: ")
        for line in text.getvalue().splitlines()
        if "GPU COMP" in line
    ]
    return sorted(set(lines))
