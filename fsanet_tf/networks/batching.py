"""Poses of many crops, averaged over networks."""

from collections.abc import Sequence

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import resize_crops
from fsanet_tf.networks.network import Network

BATCH = 256  # crops that are converted to float32 at a time


def predict_poses(networks: Sequence[Network], crops: np.ndarray, mirror: bool = False) -> np.ndarray:
    """Predict the poses of many crops, averaged over the networks.

    Args:
        networks: Loaded networks.
        crops: uint8 BGR `(N, S, S, 3)`, in [0, 255]; resized if a network expects another size.
        mirror: Average with the predictions for the mirrored crops.

    Returns:
        float32 `(N, 3)`: yaw, pitch, roll in degrees.

    Raises:
        InputError: If a prediction is not finite.
    """
    total = np.zeros((len(crops), 3), np.float32)
    for network in networks:
        for start in range(0, len(crops), BATCH):
            batch = resize_crops(crops[start : start + BATCH], network.image_size)
            poses, _ = network.predict_with_uncertainty(batch.astype(np.float32), mirror)
            if not np.isfinite(poses).all():
                row = int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
                raise InputError(
                    f"{network.name}: the pose of face {start + row} is not finite: {poses[row]}"
                )
            total[start : start + len(batch)] += poses
    return total / len(networks)
