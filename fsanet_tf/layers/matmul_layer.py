"""A bias-free matrix product along one axis: the metric aggregation."""

import keras
from keras import ops

from fsanet_tf.layers.shapes import require_rank


@keras.saving.register_keras_serializable(package="fsanet_tf")
class MatMulLayer(keras.layers.Layer):
    """Multiply a batch of matrices by one learned matrix, along their features or along their capsules.

    Args:
        units: size that the contracted axis gets.
        axis: -1 contracts the features, -2 the capsules.

    Input shape:
        `(batch, capsules, features)`.

    Output shape:
        `(batch, capsules, units)` for axis -1, `(batch, units, features)` for axis -2.

    Weights:
        `kernel` `(size of the axis, units)`, the original's `kernel_type1` and `kernel_type2`.
    """

    def __init__(self, units: int, axis: int = -1, **kwargs):
        super().__init__(**kwargs)
        if axis not in (-1, -2):
            raise ValueError(f"axis must be -1 (features) or -2 (capsules). Received: axis={axis}")
        self.units = units
        self.axis = axis

    def build(self, input_shape):
        require_rank("MatMulLayer", input_shape, 3, "(batch, capsules, features)")
        self.kernel = self.add_weight(
            name="kernel",
            shape=(input_shape[self.axis], self.units),
            initializer="glorot_uniform",
        )

    def call(self, inputs):
        if self.axis == -1:
            return ops.matmul(inputs, self.kernel)
        return ops.matmul(ops.transpose(self.kernel), inputs)

    def get_config(self):
        return {**super().get_config(), "units": self.units, "axis": self.axis}
