"""The two-stream backbone of FSA-Net and SSR-Net-MD."""

from keras import KerasTensor, layers

from fsanet_tf.layers import FusedBatchNormalization
from fsanet_tf.models.backbone import NUM_STAGE_FEATURES, Backbone, Stream

RELU_STREAM = Stream("relu", "relu", layers.AveragePooling2D)
TANH_STREAM = Stream("tanh", "tanh", layers.MaxPooling2D)

# Filters of the seven blocks, in the groups that a pooling separates.
BLOCK_FILTERS = ((16,), (32, 32), (64, 64), (128, 128))
NUM_BLOCKS = sum(map(len, BLOCK_FILTERS))
FILTER_STEP = 8  # widened blocks have multiples of that many filters


def stream_layer_name(stream: Stream, block: int, part: str) -> str:
    """Name of a block's layer: block 1…7, part `conv` or `norm`."""
    return f"{stream.name}_block{block}_{part}"


def stage_layer_name(stream: Stream, stage: int) -> str:
    """Name of the 1×1 convolution that brings a stream to a stage's 64 features."""
    return f"stage{stage}_{stream.name}_conv"


def _block(x, stream: Stream, block: int, filters: int):
    x = layers.SeparableConv2D(filters, 3, padding="same", name=stream_layer_name(stream, block, "conv"))(x)
    x = FusedBatchNormalization(name=stream_layer_name(stream, block, "norm"))(x)
    return layers.Activation(stream.activation, name=f"{stream.name}_block{block}_{stream.activation}")(x)


def widen(filters: int, width: float) -> int:
    """Multiply a number of filters, to a multiple of 8."""
    return filters if width == 1 else max(1, round(filters * width / FILTER_STEP)) * FILTER_STEP


def _stream_depths(image, stream: Stream, width: float) -> list[KerasTensor]:
    """Features at depths 2, 3 and 4: for a 64-pixel image 16×16×32, 8×8×64 and 8×8×128."""
    x, block, depths = image, 0, []
    for group, filters_of_group in enumerate(BLOCK_FILTERS):
        for filters in filters_of_group:
            block += 1
            x = _block(x, stream, block, widen(filters, width))
        if group < 3:
            x = stream.pooling(2, name=f"{stream.name}_pool{group + 1}")(x)
        depths.append(x)
    return depths[1:]


def two_stream_features(image: KerasTensor, width: float = 1.0) -> list[tuple[KerasTensor, ...]]:
    """Features of the three stages, deepest first, of the tanh and of the ReLU stream.

    The original numbers its stages from the deepest feature: stage 1 is depth 4 (8×8 for a 64-pixel
    image), stage 2 depth 3 (8×8), stage 3 depth 2 (16×16). The whole project uses that order.
    The paper multiplies the streams and then convolves; the released code convolves each and then
    multiplies, and its weights need that.
    """
    tanh_depths = _stream_depths(image, TANH_STREAM, width)
    relu_depths = _stream_depths(image, RELU_STREAM, width)
    stages = []
    for stage, features in enumerate(zip(reversed(tanh_depths), reversed(relu_depths), strict=True), 1):
        tanh, relu = (
            layers.Conv2D(
                NUM_STAGE_FEATURES, 1, activation=stream.activation, name=stage_layer_name(stream, stage)
            )(feature)
            for stream, feature in zip((TANH_STREAM, RELU_STREAM), features, strict=True)
        )
        stages.append((tanh, relu))
    return stages


TWO_STREAM = Backbone(two_stream_features, (TANH_STREAM, RELU_STREAM))
