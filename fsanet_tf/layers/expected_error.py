"""Expected error of a fusion from the poses of its members."""

import math

import keras
import numpy as np
from keras import layers, ops

from fsanet_tf.geometry.pose import rotation_matrices


@keras.saving.register_keras_serializable(package="fsanet_tf")
class ExpectedError(layers.Layer):
    """Expected geodesic error of a fusion from the poses of its members, as `Uncertainty.expected_error`.

    Input: several `(batch, 3)`, in degrees. Output: `(batch,)`, in degrees.

    Args:
        offset_deg, slope, turn_slope: As of `Uncertainty`.
    """

    def __init__(self, offset_deg: float, slope: float, turn_slope: float, **kwargs):
        super().__init__(**kwargs)
        self.offset_deg = offset_deg
        self.slope = slope
        self.turn_slope = turn_slope

    def call(self, poses):
        rotations = [ops.reshape(rotation_matrices(pose, ops), (-1, 9)) for pose in poses]  # (batch, 9)
        mean = sum(rotations) / len(rotations)
        disagreement = sum(_distance_deg(rotation, mean) for rotation in rotations) / len(rotations)
        turn = _distance_deg(mean, np.eye(3, dtype="float32").reshape(1, 9))
        return self.offset_deg + self.slope * disagreement + self.turn_slope * turn

    def get_config(self):
        return {
            **super().get_config(),
            "offset_deg": self.offset_deg,
            "slope": self.slope,
            "turn_slope": self.turn_slope,
        }


def _distance_deg(rotations, others):
    """Distances of rotations `(batch, 9)`, exact for small angles, `(batch,)`."""
    squared = ops.sum(ops.square(rotations - others), axis=-1)  # |R − R'| is √2 times a small angle
    return ops.sqrt(squared / 2.0) * (180.0 / math.pi)
