"""NetVLAD: residuals to learned centers, softly assigned."""

import keras
from keras import ops

from fsanet_tf.layers.shapes import require_rank


def l2_normalize(x, axis):
    """`x` over its Euclidean norm along `axis`, with TensorFlow's floor of 1e-12 on the squared norm."""
    return x * ops.rsqrt(ops.maximum(ops.sum(ops.square(x), axis=axis, keepdims=True), 1e-12))


@keras.saving.register_keras_serializable(package="fsanet_tf")
class NetVLAD(keras.layers.Layer):
    """Aggregate capsules into residuals to cluster centers, then project them.

    Args:
        num_clusters: centers K.
        output_dim: dimension of the projected descriptor.

    Input shape:
        `(batch, P, F)`.

    Output shape:
        `(batch, output_dim)`.

    Weights (the original's names):
        `assignment_kernel` `(F, K)` (`kernel_W1`), `assignment_bias` `(K,)` (`kernel_B1`),
        `centers` `(1, F, K)` (`kernel_W2`), `projection` `(F·K, output_dim)` (`kernel_H1`).

    Reference:
        Arandjelović et al., NetVLAD, CVPR 2016; Miech et al., LOUPE, 2017.
    """

    def __init__(self, num_clusters: int, output_dim: int, **kwargs):
        super().__init__(**kwargs)
        self.num_clusters = num_clusters
        self.output_dim = output_dim

    def build(self, input_shape):
        require_rank("NetVLAD", input_shape, 3, "(batch, capsules, features)")
        num_features = input_shape[-1]
        clusters = self.num_clusters

        def weight(name, shape, initializer="glorot_uniform"):
            return self.add_weight(name=name, shape=shape, initializer=initializer)

        self.assignment_kernel = weight("assignment_kernel", (num_features, clusters))
        self.assignment_bias = weight("assignment_bias", (clusters,), "zeros")
        self.centers = weight("centers", (1, num_features, clusters))
        self.projection = weight("projection", (num_features * clusters, self.output_dim))

    def call(self, inputs):
        scores = ops.matmul(inputs, self.assignment_kernel) + self.assignment_bias
        assignment = ops.softmax(scores, axis=-1)  # (batch, P, K)
        weight_of_center = ops.sum(assignment, axis=1, keepdims=True)  # (batch, 1, K)
        residuals = ops.matmul(ops.transpose(inputs, (0, 2, 1)), assignment)  # (batch, F, K)
        residuals = residuals - weight_of_center * self.centers
        descriptor = l2_normalize(residuals, axis=1)
        flat_size = self.projection.shape[0]
        descriptor = ops.reshape(descriptor, (-1, flat_size))  # (batch, F·K)
        return ops.matmul(l2_normalize(descriptor, axis=-1), self.projection)

    def get_config(self):
        return {
            **super().get_config(),
            "num_clusters": self.num_clusters,
            "output_dim": self.output_dim,
        }
