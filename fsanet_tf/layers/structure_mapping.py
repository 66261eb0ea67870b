"""The fine-grained structure mapping: which pixels form which primary capsule."""

import keras
from keras import ops

from fsanet_tf.layers.shapes import require_rank


@keras.saving.register_keras_serializable(package="fsanet_tf")
class VarianceScoring(keras.layers.Layer):
    """Score a pixel by the population variance of its features (the paper's parameter-free scoring).

    Input shape:
        `(batch, height, width, features)`.

    Output shape:
        `(batch, height, width, 1)`.

    Reference:
        FSA-Net, CVPR 2019, section 3.3.
    """

    def call(self, inputs):
        return ops.var(inputs, axis=-1, keepdims=True)


@keras.saving.register_keras_serializable(package="fsanet_tf")
class FineGrainedStructureMapping(keras.layers.Layer):
    """Gather pixel features into primary capsules, by a mapping that the attention maps decide.

    For stage k with attention map A_k, of K stages over P pixels in all:

        M_k = sigmoid(Dense(A_k))              stage mapping      (m, P)
        C   = sigmoid(Dense([A_1 … A_K]))      shared mapping     (n′, m)
        S_k = C · M_k, rows divided by their sum                  (n′, P)
        primary capsules of stage k = S_k · U                     (n′, F)

    The division is what makes training converge (a remark of the original code). One Dense computes the
    M_k of all stages.

    Args:
        num_capsules: n′, the primary capsules per stage.
        num_rows: m, the rows of a stage mapping.

    Call arguments:
        attention_maps: A, `(batch, K, pixels of one stage)`.
        pixel_features: U, `(batch, P, F)`.

    Returns:
        Primary capsules `(batch, K·n′, F)`, stage by stage.

    Reference:
        FSA-Net, CVPR 2019, equations 3 to 5.
    """

    def __init__(self, num_capsules: int = 7, num_rows: int = 5, **kwargs):
        super().__init__(**kwargs)
        self.num_capsules = num_capsules
        self.num_rows = num_rows

    def build(self, attention_maps_shape, pixel_features_shape):
        require_rank(type(self).__name__, attention_maps_shape, 3, "(batch, stages, pixels)")
        require_rank(type(self).__name__, pixel_features_shape, 3, "(batch, pixels, features)")
        _, num_stages, stage_pixels = attention_maps_shape
        num_pixels = pixel_features_shape[1]
        self.stage_dense = keras.layers.Dense(
            self.num_rows * num_pixels, activation="sigmoid", name="stage_mapping"
        )
        self.stage_dense.build((None, num_stages, stage_pixels))
        self.shared_dense = keras.layers.Dense(
            self.num_capsules * self.num_rows, activation="sigmoid", name="shared_mapping"
        )
        self.shared_dense.build((None, num_stages * stage_pixels))

    def stage_mappings(self, attention_maps):
        """M_k of every stage: `(batch, K, m, P)`, in (0, 1)."""
        _, num_stages, _ = attention_maps.shape
        return ops.reshape(self.stage_dense(attention_maps), (-1, num_stages, self.num_rows, self.num_pixels))

    @property
    def num_pixels(self) -> int:
        """P, the pixels of all stages together."""
        return self.stage_dense.kernel.shape[-1] // self.num_rows

    def call(self, attention_maps, pixel_features):
        _, num_stages, stage_pixels = attention_maps.shape
        all_maps = ops.reshape(attention_maps, (-1, num_stages * stage_pixels))
        shared = ops.reshape(self.shared_dense(all_maps), (-1, 1, self.num_capsules, self.num_rows))
        structure = ops.matmul(shared, self.stage_mappings(attention_maps))  # (batch, K, n′, P)
        structure = structure / ops.sum(structure, axis=-1, keepdims=True)
        structure = ops.reshape(structure, (-1, num_stages * self.num_capsules, self.num_pixels))
        return ops.matmul(structure, pixel_features)  # (batch, K·n′, F)

    def get_config(self):
        return {
            **super().get_config(),
            "num_capsules": self.num_capsules,
            "num_rows": self.num_rows,
        }
