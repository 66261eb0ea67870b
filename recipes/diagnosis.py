"""What limits a network: its error on faces it was trained on, on others, on moved ones, on certain labels.

`python recipes/diagnosis.py --data=aflw.npz,web.npz,mask.npz --networks=fusion,var` prints mean absolute
errors from the labels, without augmentation. Equal errors on both mean that a network cannot fit the labels
any better; a lower error on training faces means that it learned them by heart. Of held-out faces in moved
and scaled crops, some without a face, it prints the errors of `box_offset` and `face_score`.
"""

import argparse
import dataclasses

import numpy as np
import tensorflow as tf

from fsanet_tf.data.augmentation import augment
from fsanet_tf.data.augmentation_config import AugmentationConfig
from fsanet_tf.data.dataset import FaceDataset, load_dataset
from fsanet_tf.data.input_pipeline import network_crops
from fsanet_tf.data.split import split_dataset
from fsanet_tf.geometry.pose import MAX_ANGLE_DEG, angle_errors
from fsanet_tf.networks.card import BOX_OFFSET, FACE_SCORE, POSE
from fsanet_tf.networks.network import Network, load_network, predict_crops

CERTAIN = 0.95  # weight of a face, whose teacher then differs by 1.4° from its answer to the mirror image
EVERY = 8  # training faces that are looked at
FAR = AugmentationConfig(
    original=False, flip=0.5, rotation_deg=20, background=0.5, jitter=0.08, shift=0.3, zoom=0.45,
    faceless=0.12, strips=0.12, color=0.2, sharpen=0.4,
)  # fmt: skip
NEAR = dataclasses.replace(FAR, shift=0.1, zoom=0.15)


def report_poses(name: str, network: Network, data: FaceDataset, parts: dict[str, np.ndarray]) -> None:
    """Print the errors of the pose by part of the data."""
    for part, rows in parts.items():
        poses = predict_crops(network, network_crops(network, data, rows))[POSE]
        errors = angle_errors(poses, data.poses[rows]).mean(axis=1)
        certain = data.weights[rows] > CERTAIN
        print(f"{name}, {part}: {errors.mean():.2f}°, certain labels {errors[certain].mean():.2f}°")


def report_places(
    name: str, network: Network, data: FaceDataset, rows: np.ndarray, move: AugmentationConfig
) -> None:
    """Print how well a network locates faces in crops that were moved."""
    rule, size = network.card.crop, network.image_size
    views = data.views(rule.margin_ratio)[rows]
    images, poses, seed = data.images[rows], data.poses[rows], tf.constant([9, 1])
    crops, targets = augment(images, poses, move, seed, size, views, face_share=1 / rule.growth)
    found = predict_crops(network, tf.cast(tf.round(crops), tf.uint8).numpy())
    has_face = targets[FACE_SCORE].numpy() > 0
    offsets = (found[BOX_OFFSET] - targets[BOX_OFFSET].numpy())[has_face]
    across, down, log_size = np.abs(offsets).mean(axis=0)
    center = np.hypot(offsets[:, 0], offsets[:, 1]).mean()
    right = ((found[FACE_SCORE] > 0.5) == has_face).mean()
    print(
        f"{name}, moved by up to {move.shift:.0%}: offset {across:.1%}, {down:.1%}, center {center:.1%}, "
        f"log size {log_size:.3f}, correct scores {right:.1%}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", required=True, help="The .npz files of the recipes.")
    parser.add_argument("--networks", default="fusion", help="Networks, separated by commas.")
    parser.add_argument("--validation_fraction", type=float, default=0.06, help="That of the recipes.")
    given = parser.parse_args()
    data = load_dataset(given.data.split(","))
    training, held_out = split_dataset(data, MAX_ANGLE_DEG, given.validation_fraction)
    for name in given.networks.split(","):
        network = load_network(name)
        report_poses(name, network, data, {"training": training[::EVERY], "held out": held_out})
        for move in (FAR, NEAR):
            report_places(name, network, data, held_out, move)


if __name__ == "__main__":
    main()
