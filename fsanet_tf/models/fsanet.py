"""FSA-Net: a backbone, fine-grained structure mapping, aggregation, soft stagewise regression."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import KerasTensor, layers

from fsanet_tf.models.backbone import image_input, multiply_streams
from fsanet_tf.models.config import AGGREGATIONS, BACKBONES, REPRESENTATIONS, SCORINGS, FSANetConfig
from fsanet_tf.models.extra_heads import locate_face, predict_error
from fsanet_tf.models.fusion import build_fusion
from fsanet_tf.models.pose_network import PoseNetwork
from fsanet_tf.networks.card import POSE, UNCERTAINTY


def build_fsanet(config: FSANetConfig) -> keras.Model:
    """Assemble an FSA-Net, or the mean of several if the scoring stands for several.

    Args:
        config: The architecture.

    Returns:
        A functional model named `config.name`, from `image` `(batch, size, size, 3)`, BGR in [0, 255], to
        outputs by name: `pose` `(batch, 3)`, yaw, pitch, roll in degrees, and what else the configuration
        asks for (see `fsanet_tf.networks.card.OUTPUTS`).

    Example:
        >>> model = build_fsanet(FSANetConfig(scoring="var"))
        >>> model(np.zeros((2, 64, 64, 3), np.float32))["pose"].shape[0]
        2

    Reference:
        Yang et al., FSA-Net: Learning Fine-Grained Structure Aggregation for Head Pose Estimation
        from a Single Image, CVPR 2019.
    """
    score = SCORINGS.find(config.scoring)
    if isinstance(score, tuple):
        members = [build_fsanet(dataclasses.replace(config, scoring=scoring)) for scoring in score]
        return build_fusion(members, config.name, architecture=config)
    image = image_input(config.image_size)
    pixel_maps = stage_pixel_maps(BACKBONES.find(config.backbone).features(image, config.width))
    pixel_features = layers.Concatenate(axis=1, name="pixel_features")(
        [_flatten_pixels(pixels, f"stage{stage}_pixels") for stage, pixels in enumerate(pixel_maps, 1)]
    )  # U: (batch, 3·pixels, 64)
    capsules = score(pixel_maps, pixel_features, config)  # (batch, 3·n′, 64)
    stage_vectors = AGGREGATIONS.find(config.aggregation)(capsules, config)  # (batch, 3, 16)
    outputs = {POSE: REPRESENTATIONS.find(config.representation)(stage_vectors, config)}
    if config.uncertainty:
        outputs[UNCERTAINTY] = predict_error(stage_vectors)
    if config.localize:
        outputs |= locate_face(pixel_maps)
    return PoseNetwork(image, outputs, name=config.name, architecture=config)


def stage_pixel_maps(stages: Sequence[Sequence[KerasTensor]]) -> list[KerasTensor]:
    """The product of the streams at each stage, all pooled to the size of the deepest."""
    products = [multiply_streams(maps, stage) for stage, maps in enumerate(stages, 1)]
    side = products[0].shape[1]
    return [
        product
        if product.shape[1] == side
        else layers.AveragePooling2D(product.shape[1] // side, name=f"stage{stage}_pool")(product)
        for stage, product in enumerate(products, 1)
    ]


def _flatten_pixels(pixels: KerasTensor, name: str) -> KerasTensor:
    """`(batch, height, width, channels)` to `(batch, height·width, channels)`."""
    _, height, width, channels = pixels.shape
    return layers.Reshape((height * width, channels), name=name)(pixels)
