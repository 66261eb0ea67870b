"""Poses of crops, in batches."""

from collections.abc import Sequence

import keras
import numpy as np

from fsanet_tf.crop import resize_crops
from fsanet_tf.errors import InputError

CHUNK = 4096  # crops converted to float at a time


def predict_poses(models: Sequence[keras.Model], crops: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Poses of many crops, averaged over the networks.

    Args:
        models: networks from `(batch, size, size, 3)` to `(batch, 3)`.
        crops: uint8 BGR `(N, S, S, 3)`, in [0, 255]; resized where a network takes another size.
        batch_size: crops a step.

    Returns:
        float32 `(N, 3)`, yaw, pitch, roll in degrees.

    Raises:
        InputError: a network's answer is not finite.
    """
    total = np.zeros((len(crops), 3), np.float32)
    for model in models:
        for start in range(0, len(crops), CHUNK):
            chunk = resize_crops(crops[start : start + CHUNK], model.input_shape[1]).astype(np.float32)
            poses = np.asarray(model.predict(chunk, batch_size=batch_size, verbose=0))
            if not np.isfinite(poses).all():
                row = start + int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
                raise InputError(f"{model.name}: the pose of face {row} is not finite: {poses[row - start]}")
            total[start : start + len(chunk)] += poses
    return total / len(models)
