"""Expected error of a fusion from the disagreement of its members."""

import math

import keras
from keras import layers, ops

from fsanet_tf.geometry.pose import rotation_matrices


@keras.saving.register_keras_serializable(package="fsanet_tf")
class ExpectedError(layers.Layer):
    """Expected geodesic error of a fusion from the poses of its members, as `Uncertainty.expected_error`.

    Input: several `(batch, 3)`, in degrees. Output: `(batch,)`, in degrees.

    Args:
        offset_deg, slope: As of `Uncertainty`.
    """

    def __init__(self, offset_deg: float, slope: float, **kwargs):
        super().__init__(**kwargs)
        self.offset_deg = offset_deg
        self.slope = slope

    def call(self, poses):
        rotations = [ops.reshape(rotation_matrices(pose, ops), (-1, 9)) for pose in poses]
        mean = sum(rotations) / len(rotations)
        squared = [ops.sum(ops.square(rotation - mean), axis=-1) for rotation in rotations]
        radians = [ops.sqrt(square / 2.0) for square in squared]  # |R − R'| is √2 times a small angle
        return self.offset_deg + self.slope * (180.0 / math.pi) * sum(radians) / len(radians)

    def get_config(self):
        return {**super().get_config(), "offset_deg": self.offset_deg, "slope": self.slope}
