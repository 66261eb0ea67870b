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
        # û_{j|p} = W_jp u_p: (batch, J, P, D)
        predictions = ops.einsum("bpf,jpdf->bjpd", inputs, self.kernel)
        logits = ops.zeros_like(predictions[..., 0])  # (batch, J, P)
        for routing in range(self.num_routings):
            coupling = ops.softmax(logits, axis=1)  # over the output capsules
            outputs = squash(ops.einsum("bjp,bjpd->bjd", coupling, predictions))
            if routing < self.num_routings - 1:
                logits = logits + ops.einsum("bjd,bjpd->bjp", outputs, predictions)
        return outputs

    def compute_output_shape(self, input_shape):
        return (input_shape[0], self.num_capsules, self.capsule_dim)

    def get_config(self):
        return {
            **super().get_config(),
            "num_capsules": self.num_capsules,
            "capsule_dim": self.capsule_dim,
            "num_routings": self.num_routings,
        }
