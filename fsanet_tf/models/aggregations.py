"""From capsules to one vector per stage.

An aggregation takes capsules `(batch, P, 64)` and the configuration, and returns `(batch, 3, 16)`.
"""

from keras import KerasTensor, layers

from fsanet_tf.layers import CapsuleLayer, MatMulLayer, NetVLAD
from fsanet_tf.models.backbone import NUM_STAGES
from fsanet_tf.models.config import FSANetConfig

STAGE_VECTOR_DIM = 16


def aggregate_by_capsules(capsules: KerasTensor, config: FSANetConfig) -> KerasTensor:
    """Route the capsules to one per stage, by agreement."""
    return CapsuleLayer(NUM_STAGES, STAGE_VECTOR_DIM, config.num_routings, name="capsule")(capsules)


def aggregate_by_netvlad(capsules: KerasTensor, config: FSANetConfig) -> KerasTensor:
    """Describe the capsules by their residuals to learned centers."""
    descriptor = NetVLAD(NUM_STAGES, NUM_STAGES * STAGE_VECTOR_DIM, name="netvlad")(capsules)
    return layers.Reshape((NUM_STAGES, STAGE_VECTOR_DIM), name="stage_vectors")(descriptor)


def aggregate_by_metric(capsules: KerasTensor, config: FSANetConfig) -> KerasTensor:
    """Multiply the capsules by a matrix for their features and one for their number."""
    features = MatMulLayer(STAGE_VECTOR_DIM, axis=-1, name="metric_features")(capsules)
    return MatMulLayer(NUM_STAGES, axis=-2, name="metric_capsules")(features)
