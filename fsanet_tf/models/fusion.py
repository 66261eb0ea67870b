"""Fusion: the mean pose of several networks, as one model."""

from collections.abc import Sequence

import keras
from keras import layers

from fsanet_tf.models.backbone import image_input


def build_fusion(members: Sequence[keras.Model], name: str) -> keras.Model:
    """Build a model whose pose is the mean of its members' poses (the paper's fusion).

    Args:
        members: Models from `(batch, size, size, 3)` to `(batch, 3)`, of one image size, with different
            names.
        name: Name of the fusion.

    Raises:
        ValueError: If the members' image sizes differ.

    Example:
        >>> members = [fsanet_tf.build_model(f"fsanet_{name}_metric") for name in ("var", "noS")]
        >>> fsanet_tf.models.build_fusion(members, "both").output_shape
        (None, 3)
    """
    sizes = [model.input_shape[1] for model in members]
    if len(set(sizes)) != 1:
        raise ValueError(f"The members of a fusion must have one image size. Received: {sizes}")
    image = image_input(sizes[0])
    return keras.Model(image, layers.Average(name="pose")([model(image) for model in members]), name=name)
