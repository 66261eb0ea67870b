"""The custom Keras layers of FSA-Net, written with `keras.ops` so that every backend runs them."""

from fsanet_tf.layers.batch_normalization import FusedBatchNormalization
from fsanet_tf.layers.capsule_layer import CapsuleLayer
from fsanet_tf.layers.expected_error import ExpectedError
from fsanet_tf.layers.matmul_layer import MatMulLayer
from fsanet_tf.layers.mirroring import AppendMirrored, SplitMirrored
from fsanet_tf.layers.net_vlad import NetVLAD
from fsanet_tf.layers.ssr_layer import SSRLayer
from fsanet_tf.layers.structure_mapping import FineGrainedStructureMapping, VarianceScoring

__all__ = [
    "AppendMirrored",
    "CapsuleLayer",
    "ExpectedError",
    "FineGrainedStructureMapping",
    "FusedBatchNormalization",
    "MatMulLayer",
    "NetVLAD",
    "SSRLayer",
    "SplitMirrored",
    "VarianceScoring",
]
