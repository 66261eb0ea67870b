"""Backbones: from an image to the features of three stages, in one stream or several."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import NamedTuple

import keras
from keras import KerasTensor, layers

__all__ = ["Backbone"]

NUM_STAGES = 3
NUM_STAGE_FEATURES = 64


class Stream(NamedTuple):
    """One path from the image to the features of the stages.

    Attributes:
        name: Part of the names of its layers.
        activation: Activation of its features.
        pooling: How it is made smaller.
    """

    name: str = "plain"
    activation: str = "relu"
    pooling: type[layers.Layer] = layers.AveragePooling2D


@dataclasses.dataclass(frozen=True)
class Backbone:
    """A backbone that heads can use.

    Attributes:
        features: From `image` `(batch, size, size, 3)`, BGR in [0, 255], and a multiplier of the filters to
            three stages, the deepest first, as the original numbers them. A stage has one map per stream,
            `(batch, side, side, 64)`, already through the stream's activation. Sides are multiples of that of
            stage 1.
        streams: The streams, in the order of a stage's maps. FSA-Net multiplies a stage's maps and pools the
            product; SSR-Net-MD pools each as its stream does, then multiplies.

    Example:
        >>> def features(image, width):
        ...     import keras
        ...     x = keras.layers.Conv2D(64, 3, 8, padding="same", activation="relu", name="patches")(image)
        ...     return [(x,), (x,), (x,)]
        >>> from fsanet_tf.models.backbone import Backbone
        >>> _ = fsanet_tf.register("backbone", "patches")(Backbone(features))
        >>> fsanet_tf.build_model("fsanet_var_metric_patches").output_shape
        (None, 3)
    """

    features: Callable[[KerasTensor, float], Sequence[Sequence[KerasTensor]]]
    streams: tuple[Stream, ...] = (Stream(),)


def image_input(image_size: int) -> KerasTensor:
    """Return the network's input: `(batch, size, size, 3)`, BGR in [0, 255], without normalization."""
    return keras.Input((image_size, image_size, 3), name="image")


def multiply_streams(maps: Sequence[KerasTensor], stage: int) -> KerasTensor:
    """Multiply the maps of a stage's streams; the only one of a single stream stays as it is."""
    return layers.Multiply(name=f"stage{stage}_product")(list(maps)) if len(maps) > 1 else maps[0]
