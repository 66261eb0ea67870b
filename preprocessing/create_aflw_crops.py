"""AFLW crops with two sources of labels, into one data set: what the shipped networks were trained on.

`python -m preprocessing.create_aflw_crops --input_dir=AFLW_crops --labels=labels.csv --output=aflw.npz`
"""

import csv
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.crop import CropRule
from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.files import require_file
from fsanet_tf.pictures import read_picture
from fsanet_tf.pose import ANGLE_NAMES

LANDMARK_WEIGHT = 0.4
MAX_DISAGREEMENT_DEG = 25.0
TIGHT_CROP = CropRule(0.29, square=True)  # the crops' side is 1.58 times the landmark box

flags.DEFINE_string("input_dir", None, "Folder of the square crops.")
flags.DEFINE_string("labels", None, "CSV with name and {yaw,pitch,roll}_{landmarks,network} in degrees.")
flags.DEFINE_string("output", None, "The .npz to write.")
flags.mark_flags_as_required(["input_dir", "labels", "output"])
FLAGS = flags.FLAGS


def blended_pose(row: dict[str, str]) -> np.ndarray:
    """One face's label: 0.4 of the landmark fit and 0.6 of the network's answer.

    The network's alone where the fit is missing or any angle differs by more than 25°.

    Args:
        row: a line of the CSV.

    Returns:
        `(3,)` yaw, pitch, roll in degrees.
    """
    network = np.array([float(row[f"{name}_network"]) for name in ANGLE_NAMES])
    texts = [row[f"{name}_landmarks"] for name in ANGLE_NAMES]
    if not all(texts):
        return network
    landmarks = np.array([float(text) for text in texts])
    if np.abs(landmarks - network).max() > MAX_DISAGREEMENT_DEG:
        return network
    return LANDMARK_WEIGHT * landmarks + (1 - LANDMARK_WEIGHT) * network


def main() -> None:
    labels = require_file(FLAGS.labels, "a CSV of labels")
    with labels.open(newline="") as file:
        rows = list(csv.DictReader(file))
    images, poses, names = [], [], []
    for row in tqdm(rows, unit="crop"):
        images.append(read_picture(Path(FLAGS.input_dir) / row["name"]))
        poses.append(blended_pose(row))
        names.append(row["name"])
    dataset = FaceDataset(np.stack(images), np.stack(poses), np.array(names), TIGHT_CROP)
    save_dataset(FLAGS.output, dataset)
    print(f"{FLAGS.output}: {len(dataset)} crops of {dataset.image_size} pixels")


if __name__ == "__main__":
    run(main)
