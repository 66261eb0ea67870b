"""From pixels to capsules: how attention maps score the pixels that a structure mapping gathers.

A scoring takes the maps of the three stages, `(batch, side, side, 64)` each, all their pixels, U,
`(batch, P, 64)`, and the configuration. It returns capsules `(batch, P′, 64)`.
"""

from collections.abc import Sequence

from keras import KerasTensor, layers

from fsanet_tf.layers import FineGrainedStructureMapping, VarianceScoring
from fsanet_tf.models.config import FSANetConfig


def score_by_convolution(
    pixel_maps: Sequence[KerasTensor], pixel_features: KerasTensor, config: FSANetConfig
) -> KerasTensor:
    """Score each pixel by a learned 1×1 convolution."""
    score = layers.Conv2D(1, 1, activation="sigmoid", name="scoring")
    return map_structure(score, pixel_maps, pixel_features, config)


def score_by_variance(
    pixel_maps: Sequence[KerasTensor], pixel_features: KerasTensor, config: FSANetConfig
) -> KerasTensor:
    """Score each pixel by the variance of its features."""
    return map_structure(VarianceScoring(name="scoring"), pixel_maps, pixel_features, config)


def take_all_pixels(
    pixel_maps: Sequence[KerasTensor], pixel_features: KerasTensor, config: FSANetConfig
) -> KerasTensor:
    """Take every pixel as a capsule, without a structure mapping."""
    return pixel_features


def map_structure(
    score: layers.Layer, pixel_maps: Sequence[KerasTensor], pixel_features: KerasTensor, config: FSANetConfig
) -> KerasTensor:
    """Gather the pixels into primary capsules `(batch, 3·n′, 64)`; the stages share the layer `score`."""
    _, height, width, _ = pixel_maps[0].shape
    rows = [
        layers.Reshape((1, height * width), name=f"stage{stage}_attention")(score(pixels))
        for stage, pixels in enumerate(pixel_maps, 1)
    ]
    attention_maps = layers.Concatenate(axis=1, name="attention_maps")(rows)  # A: (batch, 3, pixels)
    mapping = FineGrainedStructureMapping(
        config.num_capsules, config.num_mapping_rows, name="structure_mapping"
    )
    return mapping(attention_maps, pixel_features)
