"""Capsules with dynamic routing by agreement."""

import keras
from keras import ops

from fsanet_tf.layers.shapes import require_rank


def squash(vectors):
    """Scale each vector's length n to n² / (1 + n²), keeping its direction (Sabour et al., equation 1).

    Args:
        vectors: `(..., dim)`.

    Returns:
        The same shape, lengths in [0, 1).
    """
    squared_norm = ops.sum(ops.square(vectors), axis=-1, keepdims=True)
    # 1e-7 stands inside the root only, as in the original: the gradient at zero stays finite.
    return squared_norm / (1.0 + squared_norm) * vectors / ops.sqrt(squared_norm + 1e-7)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class CapsuleLayer(keras.layers.Layer):
    """Route input capsules to output capsules by agreement.

    Args:
        num_capsules: output capsules J.
        capsule_dim: dimension D of an output capsule.
        num_routings: routing rounds; the loop is unrolled, so graphs and exports hold no control flow.

    Input shape:
        `(batch, P, F)`: P capsules of dimension F.

    Output shape:
        `(batch, J, D)`.

    Weights:
        `kernel` `(J, P, D, F)`, the original's `W`.

    Reference:
        Sabour et al., Dynamic Routing Between Capsules, NeurIPS 2017, procedure 1.
    """

    def __init__(self, num_capsules: int, capsule_dim: int, num_routings: int = 2, **kwargs):
        super().__init__(**kwargs)
        if num_routings < 1:
            raise ValueError(f"num_routings must be at least 1. Received: {num_routings}")
        self.num_capsules = num_capsules
        self.capsule_dim = capsule_dim
        self.num_routings = num_routings

    def build(self, input_shape):
        require_rank("CapsuleLayer", input_shape, 3, "(batch, capsules, features)")
        _, num_inputs, num_features = input_shape
        self.kernel = self.add_weight(
            name="kernel",
            shape=(self.num_capsules, num_inputs, self.capsule_dim, num_features),
            initializer="glorot_uniform",
        )

    def call(self, inputs):
        # Written with matmul: what converters make of einsum has no static rank, which OpenVINO refuses.
        _, num_inputs, num_features = inputs.shape
        outputs_shape = (-1, self.num_capsules, self.capsule_dim)
        kernel = ops.transpose(self.kernel, (1, 3, 0, 2))  # (P, F, J, D)
        kernel = ops.reshape(kernel, (num_inputs, num_features, self.num_capsules * self.capsule_dim))
        predictions = ops.matmul(ops.transpose(inputs, (1, 0, 2)), kernel)  # û: (P, batch, J·D)
        predictions = ops.reshape(predictions, (num_inputs, *outputs_shape))
        predictions = ops.transpose(predictions, (1, 2, 0, 3))  # (batch, J, P, D)
        logits = ops.zeros_like(predictions[..., :1])  # (batch, J, P, 1)
        for routing in range(self.num_routings):
            coupling = ops.softmax(logits, axis=1)  # over the output capsules
            sums = ops.matmul(ops.transpose(predictions, (0, 1, 3, 2)), coupling)  # (batch, J, D, 1)
            outputs = squash(ops.reshape(sums, outputs_shape))
            if routing < self.num_routings - 1:
                logits = logits + ops.matmul(predictions, outputs[..., None])
        return outputs

    def get_config(self):
        return {
            **super().get_config(),
            "num_capsules": self.num_capsules,
            "capsule_dim": self.capsule_dim,
            "num_routings": self.num_routings,
        }
