"""Poses of many crops, in batches."""

from collections.abc import Sequence

import numpy as np

from fsanet_tf.crop import resize_crops
from fsanet_tf.errors import InputError
from fsanet_tf.networks import Network


def predict_poses(networks: Sequence[Network], crops: np.ndarray, batch_size: int = 128) -> np.ndarray:
    """Poses of many crops, averaged over the networks.

    Args:
        networks: of any file.
        crops: uint8 BGR `(N, S, S, 3)`, in [0, 255]; resized where a network takes another size.
        batch_size: crops a step.

    Returns:
        float32 `(N, 3)`, yaw, pitch, roll in degrees.

    Raises:
        InputError: a network's answer is not finite.
    """
    total = np.zeros((len(crops), 3), np.float32)
    for network in networks:
        for start in range(0, len(crops), batch_size):
            batch = resize_crops(crops[start : start + batch_size], network.image_size)
            poses = network.predict(batch.astype(np.float32))
            if not np.isfinite(poses).all():
                row = int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
                raise InputError(
                    f"{network.name}: the pose of face {start + row} is not finite: {poses[row]}"
                )
            total[start : start + len(batch)] += poses
    return total / len(networks)
