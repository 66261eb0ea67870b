"""The regression head: features of the three stages to angles, by soft stagewise regression.

A head takes the features of a stage, `(batch, features)`, and its number, and returns the `HeadInputs`.
"""

from typing import NamedTuple

from keras import KerasTensor, layers

from fsanet_tf.layers import SSRLayer
from fsanet_tf.models.config import HEADS, FSANetConfig

NUM_ANGLES = 3
NUM_BINS = 3


class HeadInputs(NamedTuple):
    """The features from which one stage's three quantities are regressed, each `(batch, features)`."""

    scale: KerasTensor
    shift: KerasTensor
    scores: KerasTensor


def split_head(features: KerasTensor, stage: int) -> HeadInputs:
    """A quarter of the features for the scale, a quarter for the shift, half for the scores."""
    quarter = features.shape[1] // 4
    scale, shift, scores = (features[:, i * quarter : j * quarter] for i, j in ((0, 1), (1, 2), (2, 4)))
    return HeadInputs(scale, shift, scores)


def fully_connected_head(features: KerasTensor, stage: int) -> HeadInputs:
    """All features for each quantity; scale and shift through one more tanh layer of six."""
    scale, shift = (
        layers.Dense(2 * NUM_ANGLES, "tanh", name=f"stage{stage}_{part}_features")(features)
        for part in ("scale", "shift")
    )
    return HeadInputs(scale, shift, features)


def regress_by_stages(stage_vectors: KerasTensor, config: FSANetConfig) -> KerasTensor:
    """Yaw, pitch, roll in degrees, `(batch, 3)`, from the stages' vectors `(batch, 3, 16)`."""
    heads = []
    for stage in range(1, stage_vectors.shape[1] + 1):
        vector = layers.Flatten(name=f"stage{stage}_vector")(stage_vectors[:, stage - 1 : stage])
        heads.append(HEADS.find(config.head)(vector, stage))
    return regress_pose(heads)


def regress_pose(stages: list[HeadInputs]) -> KerasTensor:
    """Yaw, pitch, roll in degrees, `(batch, 3)`, from the inputs of the three stages."""
    bin_scores, bin_shifts, bin_scales = [], [], []
    for stage, inputs in enumerate(stages, 1):
        bin_scales.append(layers.Dense(NUM_ANGLES, "tanh", name=f"stage{stage}_bin_scales")(inputs.scale))
        bin_shifts.append(layers.Dense(NUM_ANGLES, "tanh", name=f"stage{stage}_bin_shifts")(inputs.shift))
        scores = layers.Dense(NUM_ANGLES * NUM_BINS, "relu", name=f"stage{stage}_bin_scores")(inputs.scores)
        bin_scores.append(layers.Reshape((NUM_ANGLES, NUM_BINS), name=f"stage{stage}_bins")(scores))
    return SSRLayer(name="pose", dtype="float32")(bin_scores, bin_shifts, bin_scales)
