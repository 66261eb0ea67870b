"""Fusion: several networks' poses, averaged in one model."""

from collections.abc import Sequence

import keras
from keras import layers

from fsanet_tf.models.streams import image_input


def fuse(members: Sequence[keras.Model], name: str) -> keras.Model:
    """One model whose pose is the mean of its members' (the paper's fusion).

    Args:
        members: models from `(batch, size, size, 3)` to `(batch, 3)`, of one image size, with
            different names.
        name: name of the fusion.

    Raises:
        ValueError: the members' image sizes differ.
    """
    sizes = [model.input_shape[1] for model in members]
    if len(set(sizes)) != 1:
        raise ValueError(f"A fusion needs members of one image size. Received: {sizes}")
    image = image_input(sizes[0])
    return keras.Model(image, layers.Average(name="pose")([model(image) for model in members]), name=name)
