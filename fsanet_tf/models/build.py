"""Assembly of a network by the name of its variant."""

from typing import Any

import keras

from fsanet_tf.models.config import SSRNetConfig, VariantConfig, variant_config
from fsanet_tf.models.fsanet import build_fsanet
from fsanet_tf.models.ssrnet import build_ssrnet

__all__ = ["build_model"]


def build_model(variant: str | VariantConfig, **fields: Any) -> keras.Model:
    """Build a network with fresh weights.

    Args:
        variant: One of `list_variants()`, or a configuration.
        fields: Further fields of the configuration, such as `image_size`, `width` or `localize`
            (see `FSANetConfig`).

    Returns:
        A functional model from `image` `(batch, size, size, 3)`, BGR in [0, 255], to outputs by name: `pose`
        `(batch, 3)`, yaw, pitch, roll in degrees, and those that the configuration adds.

    Raises:
        InputError: If the variant is unknown, or a field cannot be built.

    Example:
        >>> fsanet_tf.build_model("fsanet_var_capsule").count_params()
        238406
    """
    config = variant_config(variant, **fields)
    return build_ssrnet(config) if isinstance(config, SSRNetConfig) else build_fsanet(config)
