"""The backbone of one stream that begins with a stride, with shortcuts and channel attention.

Separable convolutions at the full size of the image are bound by memory; here most of the work is done at an
eighth of it.
"""

from typing import NamedTuple

from keras import KerasTensor, layers

from fsanet_tf.layers import FusedBatchNormalization
from fsanet_tf.models.backbone import NUM_STAGE_FEATURES, Backbone
from fsanet_tf.models.two_stream import widen

STEM_FILTERS = 32


class Group(NamedTuple):
    """Consecutive blocks of one size.

    Attributes:
        filters: Filters of each block.
        num_blocks: Number of blocks.
        stride: Stride of the first block.
        attention: Whether each block weights its channels (squeeze and excitation).
    """

    filters: int
    num_blocks: int
    stride: int = 1
    attention: bool = False


# For a 64-pixel image, after a stem of 32×32: 32×32, 16×16, 8×8 and 8×8; the last three feed the stages.
GROUPS = (
    Group(64, 1),
    Group(128, 3, stride=2),
    Group(256, 8, stride=2, attention=True),
    Group(256, 1, attention=True),
)
ATTENTION_RATIO = 8


def _normalize(x: KerasTensor, name: str) -> KerasTensor:
    return FusedBatchNormalization(name=f"{name}_norm")(x)


def _attend(x: KerasTensor, name: str) -> KerasTensor:
    """Weight channels by what the image contains: squeeze and excitation (Hu et al., CVPR 2018)."""
    filters = x.shape[-1]
    weights = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_squeeze")(x)
    weights = layers.Dense(filters // ATTENTION_RATIO, activation="relu", name=f"{name}_reduce")(weights)
    weights = layers.Dense(filters, activation="sigmoid", name=f"{name}_excite")(weights)
    return layers.Multiply(name=f"{name}_attention")([x, weights])


def _block(x: KerasTensor, name: str, filters: int, stride: int, attention: bool) -> KerasTensor:
    shortcut = x
    conv = layers.SeparableConv2D(filters, 3, stride, padding="same", use_bias=False, name=f"{name}_conv")
    x = _normalize(conv(x), name)
    if attention:
        x = _attend(x, name)
    if shortcut.shape == x.shape:
        x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.ReLU(name=f"{name}_relu")(x)


def strided_features(image: KerasTensor, width: float = 1.0) -> list[tuple[KerasTensor, ...]]:
    """Features of the three stages, deepest first, of one stream."""
    stem = layers.Conv2D(widen(STEM_FILTERS, width), 3, 2, padding="same", use_bias=False, name="stem_conv")
    x = layers.ReLU(name="stem_relu")(_normalize(stem(image), "stem"))
    depths = []
    for number, group in enumerate(GROUPS, 1):
        for block in range(group.num_blocks):
            stride = group.stride if block == 0 else 1
            name = f"group{number}_block{block + 1}"
            x = _block(x, name, widen(group.filters, width), stride, group.attention)
        depths.append(x)
    return [
        (layers.Conv2D(NUM_STAGE_FEATURES, 1, activation="relu", name=f"stage{stage}_conv")(features),)
        for stage, features in enumerate(reversed(depths[1:]), 1)
    ]


STRIDED = Backbone(strided_features)
