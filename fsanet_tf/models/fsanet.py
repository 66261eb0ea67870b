"""FSA-Net: two streams, fine-grained structure mapping, aggregation, soft stagewise regression."""

import keras
from keras import KerasTensor, layers

from fsanet_tf.layers import (
    CapsuleLayer,
    FineGrainedStructureMapping,
    MatMulLayer,
    NetVLAD,
    VarianceScoring,
)
from fsanet_tf.models.config import FSANetConfig
from fsanet_tf.models.regression_head import HeadInputs, regress_pose, through_tanh
from fsanet_tf.models.streams import image_input, two_stream_features

NUM_STAGES = 3
STAGE_VECTOR_DIM = 16


def build_fsanet(config: FSANetConfig) -> keras.Model:
    """Assemble one FSA-Net.

    Args:
        config: the architecture.

    Returns:
        A functional model named `config.name`, from `image` `(batch, size, size, 3)`, BGR in
        [0, 255], to `pose` `(batch, 3)`: yaw, pitch, roll in degrees.

    Example:
        >>> model = build_fsanet(FSANetConfig(scoring="var"))
        >>> model.predict(crops)  # (N, 64, 64, 3) BGR → (N, 3)

    Reference:
        Yang et al., FSA-Net: Learning Fine-Grained Structure Aggregation for Head Pose Estimation
        from a Single Image, CVPR 2019.
    """
    image = image_input(config.image_size)
    pixel_maps = stage_pixel_maps(image)
    pixel_features = layers.Concatenate(axis=1, name="pixel_features")(
        [_flatten_pixels(pixels, f"stage{stage}_pixels") for stage, pixels in enumerate(pixel_maps, 1)]
    )  # U: (batch, 3·pixels, 64)
    if config.scoring == "noS":
        capsules = pixel_features
    else:
        capsules = FineGrainedStructureMapping(
            config.num_capsules, config.num_mapping_rows, name="structure_mapping"
        )(attention_maps(pixel_maps, config.scoring), pixel_features)  # (batch, 3·n′, 64)
    stage_vectors = _aggregate(capsules, config)  # (batch, 3, 16)
    stages = [_head_inputs(stage_vectors, config.head, stage) for stage in range(1, NUM_STAGES + 1)]
    return keras.Model(image, regress_pose(stages), name=config.name)


def stage_pixel_maps(image: KerasTensor) -> list[KerasTensor]:
    """The product of the two streams at each stage, all pooled to the size of the deepest."""
    stages = two_stream_features(image)
    products = [
        layers.Multiply(name=f"stage{stage}_product")([tanh, relu])
        for stage, (tanh, relu) in enumerate(stages, 1)
    ]
    products[2] = layers.AveragePooling2D(2, name="stage3_pool")(products[2])
    return products


def _flatten_pixels(pixels: KerasTensor, name: str) -> KerasTensor:
    """`(batch, height, width, channels)` to `(batch, height·width, channels)`."""
    _, height, width, channels = pixels.shape
    return layers.Reshape((height * width, channels), name=name)(pixels)


def attention_maps(pixel_maps: list[KerasTensor], scoring: str) -> KerasTensor:
    """A_k of each stage, `(batch, 3, pixels)`; the scoring is one layer, shared by the stages."""
    if scoring == "1x1":
        score = layers.Conv2D(1, 1, activation="sigmoid", name="scoring")
    else:
        score = VarianceScoring(name="scoring")
    _, height, width, _ = pixel_maps[0].shape
    rows = [
        layers.Reshape((1, height * width), name=f"stage{stage}_attention")(score(pixels))
        for stage, pixels in enumerate(pixel_maps, 1)
    ]
    return layers.Concatenate(axis=1, name="attention_maps")(rows)


def _aggregate(capsules: KerasTensor, config: FSANetConfig) -> KerasTensor:
    """Capsules `(batch, P, 64)` to one vector per stage, `(batch, 3, 16)`."""
    match config.aggregation:
        case "capsule":
            return CapsuleLayer(NUM_STAGES, STAGE_VECTOR_DIM, config.num_routings, name="capsule")(capsules)
        case "netvlad":
            descriptor = NetVLAD(NUM_STAGES, NUM_STAGES * STAGE_VECTOR_DIM, name="netvlad")(capsules)
            return layers.Reshape((NUM_STAGES, STAGE_VECTOR_DIM), name="stage_vectors")(descriptor)
        case _:
            features = MatMulLayer(STAGE_VECTOR_DIM, axis=-1, name="metric_features")(capsules)
            return MatMulLayer(NUM_STAGES, axis=-2, name="metric_capsules")(features)


def _head_inputs(stage_vectors: KerasTensor, head: str, stage: int) -> HeadInputs:
    """Select the inputs of a stage's quantities: a quarter, a quarter and half of its 16, or all."""
    vector = layers.Flatten(name=f"stage{stage}_vector")(stage_vectors[:, stage - 1 : stage])
    if head == "fc":
        return through_tanh(vector, stage)
    return HeadInputs(scale=vector[:, 0:4], shift=vector[:, 4:8], scores=vector[:, 8:16])
