"""A backbone of one strided stream with channel attention: more work per millisecond than two streams."""

from keras import KerasTensor, layers

from fsanet_tf.layers import FusedBatchNormalization
from fsanet_tf.models.backbone import NUM_STAGE_FEATURES, Backbone
from fsanet_tf.models.two_stream import widen

STEM_FILTERS = 32
# Groups of separable convolutions: filters, blocks, stride of the first, and the stage that reads the last.
GROUPS = ((64, 1, 1, None), (96, 3, 2, 3), (256, 8, 2, 2), (256, 1, 1, 1))
ATTENTION_FILTERS = 256  # blocks from this width on weigh their channels
ATTENTION_REDUCTION = 8


def strided_features(image: KerasTensor, width: float = 1.0) -> list[tuple[KerasTensor, ...]]:
    """Features of the three stages, deepest first: 8×8, 8×8 and 16×16 for an image of 64 pixels."""
    x = layers.Conv2D(widen(STEM_FILTERS, width), 3, 2, padding="same", use_bias=False, name="stem_conv")(
        image
    )
    x = FusedBatchNormalization(name="stem_norm")(x)
    x = layers.ReLU(name="stem_relu")(x)
    stages, number = {}, 0
    for filters, blocks, stride, stage in GROUPS:
        for block in range(blocks):
            number += 1
            attention = filters >= ATTENTION_FILTERS
            x = _block(x, f"block{number}", widen(filters, width), 1 if block else stride, attention)
        if stage:
            conv = layers.Conv2D(NUM_STAGE_FEATURES, 1, activation="relu", name=f"stage{stage}_conv")
            stages[stage] = (conv(x),)
    return [stages[stage] for stage in sorted(stages)]


def _block(x: KerasTensor, name: str, filters: int, stride: int, attention: bool) -> KerasTensor:
    """Separable convolution, normalization, channel attention, a shortcut where shapes allow, ReLU."""
    y = layers.SeparableConv2D(filters, 3, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
    y = FusedBatchNormalization(name=f"{name}_norm")(y)
    if attention:
        y = _weigh_channels(y, name)
    if x.shape == y.shape:
        y = layers.Add(name=f"{name}_shortcut")([x, y])
    return layers.ReLU(name=f"{name}_relu")(y)


def _weigh_channels(x: KerasTensor, name: str) -> KerasTensor:
    """Squeeze and excite (Hu et al., CVPR 2018)."""
    channels = x.shape[-1]
    mean = layers.GlobalAveragePooling2D(keepdims=True, name=f"{name}_mean")(x)
    squeezed = layers.Conv2D(channels // ATTENTION_REDUCTION, 1, activation="relu", name=f"{name}_squeeze")(
        mean
    )
    weights = layers.Conv2D(channels, 1, activation="sigmoid", name=f"{name}_excite")(squeezed)
    return layers.Multiply(name=f"{name}_attention")([x, weights])


STRIDED = Backbone(strided_features)
