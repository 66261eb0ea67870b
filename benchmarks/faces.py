"""Faces of AFLW2000 or 300W-LP for the benchmarks: pictures with boxes and poses, or crops."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.preprocessing.crops import preprocess
from fsanet_tf.data.preprocessing.landmark_pairs import (
    LandmarkPairsConfig,
    find_faces,
    read_labels,
    visible_box,
)
from fsanet_tf.evaluation.metrics import Errors, measure
from fsanet_tf.geometry.crop import IMAGE_SIZE, Box, CropRule
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, within_angle
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE
from fsanet_tf.networks.network import Mirrored, Network, predict_crops


class Picture(NamedTuple):
    """A picture of one face: uint8 BGR, its face box, and yaw, pitch, roll in degrees."""

    image: np.ndarray
    box: Box
    pose_deg: np.ndarray


def labeled_pictures(input_dir: str | Path, count: int, title: str = "") -> Iterator[Picture]:
    """Yield up to `count` pictures, spread over a folder, whose faces lie within ±99°."""
    paths = find_faces(Path(input_dir))
    for path in tqdm(paths[:: max(1, len(paths) // count)], unit="image", desc=title or None):
        points, pose = read_labels(path.with_suffix(".mat"))
        if within_angle(pose[None])[0]:
            yield Picture(read_image(path), visible_box(points), pose)


def crops_of(reference: Path, rule: CropRule, image_size: int = IMAGE_SIZE) -> FaceDataset:
    """Crop AFLW2000, keeping the faces within ±99°."""
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "faces.npz"
        preprocess(
            LandmarkPairsConfig(
                str(reference / "data/AFLW2000"),
                str(output),
                margin_ratio=rule.margin_ratio,
                square=rule.square,
                sampling=rule.sampling,
                image_size=image_size,
            )
        )
        dataset = load_dataset(output)
        rows = dataset.rows_within(MAX_ANGLE_DEG)
        return dataset.select(rows)


def has_twin(reference: Path, faces: FaceDataset) -> np.ndarray:
    """Return which faces of AFLW2000 have a near-duplicate among the AFLW crops, `(N,)`."""
    twins = (reference / "data/aflw2000_twins.txt").read_text().split()
    return np.isin([Path(name).stem for name in faces.names], twins)


def poses_of(network: Network, images: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Predict the poses `(N, 3)` of crops."""
    return predict_crops(Mirrored(network) if mirror else network, images)[POSE]


def errors_of(network: Network, dataset: FaceDataset, mirror: bool = False) -> Errors:
    """Measure a network on crops."""
    return measure(poses_of(network, dataset.images, mirror), dataset.poses)
