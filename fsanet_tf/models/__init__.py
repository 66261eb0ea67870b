"""The networks: `build_model` assembles any variant of `fsanet_tf.config.VARIANTS`."""

import keras

from fsanet_tf.config import FSANetConfig, FusionConfig, SSRNetConfig, VariantConfig, variant_config
from fsanet_tf.models.fsanet import build_fsanet
from fsanet_tf.models.fusion import fuse
from fsanet_tf.models.ssrnet import build_ssrnet

__all__ = ["build_fsanet", "build_model", "build_ssrnet", "fuse"]


def build_model(variant: str | VariantConfig, image_size: int = 64) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        variant: a name of `VARIANTS`, or a configuration (its own image size then counts).
        image_size: side of the square input in pixels, a multiple of 8.

    Returns:
        A functional model from `image` `(batch, size, size, 3)`, BGR in [0, 255], to `pose`
        `(batch, 3)`: yaw, pitch, roll in degrees.

    Raises:
        ValueError: unknown variant, or a size that cannot be built.
    """
    config = variant_config(variant, image_size) if isinstance(variant, str) else variant
    match config:
        case FSANetConfig():
            return build_fsanet(config)
        case FusionConfig():
            return fuse([build_fsanet(member) for member in config.members], config.name)
        case SSRNetConfig():
            return build_ssrnet(config)
