"""SSR-Net-MD: the two streams, regressed directly."""

import keras
from keras import layers

from fsanet_tf.models.config import SSRNetConfig
from fsanet_tf.models.regression_head import regress_pose, through_tanh
from fsanet_tf.models.streams import RELU_STREAM, TANH_STREAM, image_input, two_stream_features


def build_ssrnet(config: SSRNetConfig) -> keras.Model:
    """Assemble SSR-Net-MD, the paper's multi-dimensional baseline (`ssrnet_mt` of the original).

    Args:
        config: the architecture.

    Returns:
        A functional model from `image` `(batch, size, size, 3)`, BGR in [0, 255], to `pose`
        `(batch, 3)`: yaw, pitch, roll in degrees.

    Reference:
        Yang et al., SSR-Net, IJCAI 2018; FSA-Net, CVPR 2019, section 4.
    """
    image = image_input(config.image_size)
    heads = []
    for stage, (tanh, relu) in enumerate(two_stream_features(image), 1):
        pooled = [
            TANH_STREAM.pooling(2, name=f"stage{stage}_tanh_pool")(tanh),
            RELU_STREAM.pooling(2, name=f"stage{stage}_relu_pool")(relu),
        ]
        product = layers.Multiply(name=f"stage{stage}_product")(pooled)
        features = layers.Flatten(name=f"stage{stage}_features")(product)
        heads.append(through_tanh(features, stage))
    return keras.Model(image, regress_pose(heads), name=config.name)
