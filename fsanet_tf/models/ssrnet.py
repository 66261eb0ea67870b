"""SSR-Net-MD: the features of the stages, regressed directly."""

import keras
from keras import layers

from fsanet_tf.models.backbone import image_input, multiply_streams
from fsanet_tf.models.config import BACKBONES, SSRNetConfig
from fsanet_tf.models.pose_network import PoseNetwork
from fsanet_tf.models.regression_head import fully_connected_head, regress_pose
from fsanet_tf.networks.card import POSE


def build_ssrnet(config: SSRNetConfig) -> keras.Model:
    """Assemble SSR-Net-MD, the paper's multi-dimensional baseline (`ssrnet_mt` of the original).

    Args:
        config: the architecture.

    Returns:
        A functional model from `image` `(batch, size, size, 3)`, BGR in [0, 255], to `{"pose": (batch, 3)}`:
        yaw, pitch, roll in degrees.

    Reference:
        Yang et al., SSR-Net, IJCAI 2018; FSA-Net, CVPR 2019, section 4.
    """
    image = image_input(config.image_size)
    backbone = BACKBONES.find(config.backbone)
    heads = []
    for stage, maps in enumerate(backbone.features(image, config.width), 1):
        pooled = [
            stream.pooling(2, name=f"stage{stage}_{stream.name}_pool")(features)
            for stream, features in zip(backbone.streams, maps, strict=True)
        ]
        features = layers.Flatten(name=f"stage{stage}_features")(multiply_streams(pooled, stage))
        heads.append(fully_connected_head(features, stage))
    return PoseNetwork(image, {POSE: regress_pose(heads)}, name=config.name, architecture=config)
