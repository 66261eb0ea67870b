"""The expected error of a fusion as a layer, so that exported files predict it."""

import dataclasses

import keras
from keras import layers, ops

from fsanet_tf.geometry.disagreement import ErrorCalibration


@keras.saving.register_keras_serializable(package="fsanet_tf")
class ExpectedError(layers.Layer):
    """Expected geodesic error of a fusion from the poses of its members.

    Input: several `(batch, 3)`, in degrees. Output: `(batch,)`, in degrees.

    Args:
        offset_deg, slope, turn_slope: As of `ErrorCalibration`.
    """

    def __init__(self, offset_deg: float, slope: float, turn_slope: float, **kwargs):
        super().__init__(**kwargs)
        self.calibration = ErrorCalibration(offset_deg, slope, turn_slope)

    def call(self, poses):
        return self.calibration.expected_error(ops.stack(poses), ops)

    def get_config(self):
        return {**super().get_config(), **dataclasses.asdict(self.calibration)}
