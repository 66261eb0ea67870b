"""Small faces and small runs on them."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from fsanet_tf.data.dataset import FaceDataset, save_dataset
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.training.checkpoints import Checkpoints
from fsanet_tf.training.config import TrainingConfig

VARIANT = "fsanet_noS_metric"
TINY_VARIANT = f"{VARIANT}_tiny"  # of the fixture `tiny`
KILL_STEP = 4  # within the first epoch of six steps, right after a checkpoint
EXTENSION = """
import keras
import fsanet_tf

@fsanet_tf.register("loss", "huber5")
def make_huber():
    return keras.losses.Huber(delta=5.0)

@fsanet_tf.register("metric", "worst")
def make_worst():
    return keras.metrics.MeanMetricWrapper(worst)

def worst(y_true, y_pred):
    return keras.ops.max(keras.ops.abs(y_true - y_pred), axis=-1)
"""


def save_faces(path: Path, count: int = 60, seed: int = 0) -> Path:
    """Save square crops of 16 pixels whose upper half tells the yaw."""
    rng = np.random.default_rng(seed)
    poses = rng.uniform(-60, 60, (count, 3)).astype("float32")
    images = rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    images[:, :8] = (poses[:, 0, None, None, None] + 100).astype(np.uint8)
    save_dataset(path, FaceDataset.from_arrays(images, poses, crop=CropRule(0.29, square=True)))
    return path


def small(faces: Path, output_dir: Path, **changes) -> TrainingConfig:
    """Return a run of two epochs of six steps."""
    values = {"variant": TINY_VARIANT, "image_size": 16, "batch_size": 8, "epochs": 2}
    return TrainingConfig(data=str(faces), output_dir=str(output_dir), **{**values, **changes})


@contextlib.contextmanager
def copied_when_killed() -> Iterator[None]:
    """Copy a run's folder while it trains, as a kill leaves it, to one with the suffix `.cut`."""
    save = Checkpoints._save

    def save_and_copy(self, name, **state):
        save(self, name, **state)
        if self.step == KILL_STEP:
            shutil.copytree(self.output_dir, self.output_dir.with_suffix(".cut"))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Checkpoints, "_save", save_and_copy)
        yield
