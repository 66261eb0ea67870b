"""Fusion: several networks as one model, of mirrored images too, with the expected error of their mean."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import layers

from fsanet_tf.geometry.disagreement import ErrorCalibration
from fsanet_tf.layers import AppendMirrored, ExpectedError, SplitMirrored
from fsanet_tf.models.backbone import image_input
from fsanet_tf.models.config import FSANetConfig
from fsanet_tf.models.pose_network import PoseNetwork
from fsanet_tf.networks.card import POSE, UNCERTAINTY


def build_fusion(
    members: Sequence[keras.Model],
    name: str,
    *,
    mirror: bool = False,
    calibration: ErrorCalibration | None = None,
    architecture: FSANetConfig | None = None,
) -> keras.Model:
    """Build a model whose outputs are the means of its members' (the paper's fusion).

    Args:
        members: Networks of one image size, with different names.
        name: Name of the fusion.
        mirror: Average with the poses of the mirrored images; other outputs are those of the image itself.
        calibration: Of the members' disagreement, which then predicts `uncertainty_deg`; None: the mean of
            the members' own, if all predict one.
        architecture: The configuration that the fusion was built from, if any.

    Returns:
        A model from `image` `(batch, size, size, 3)` to the outputs that all members have, by name.

    Example:
        >>> from fsanet_tf.models.fusion import build_fusion
        >>> members = [fsanet_tf.build_model(f"fsanet_{name}_metric") for name in ("var", "noS")]
        >>> build_fusion(members, "both").output_shape
        (None, 3)
    """
    image = image_input(members[0].input_shape[1])
    images = AppendMirrored(name="append_mirrored")(image) if mirror else image
    answers = [member(images) for member in members]
    shared = [key for key in answers[0] if all(key in answer for answer in answers)]
    averaged = {key: [answer[key] for answer in answers] for key in shared}
    poses = averaged[POSE]
    if mirror:
        halves = [SplitMirrored(name=f"split_{i}")(pose) for i, pose in enumerate(poses)]
        poses = [own for own, _ in halves]
        averaged = {
            key: [keras.ops.split(value, 2)[0] for value in values] for key, values in averaged.items()
        }
        averaged[POSE] = [pose for half in halves for pose in half]
    outputs = {key: _mean(values, key) for key, values in averaged.items()}
    if calibration:
        outputs[UNCERTAINTY] = ExpectedError(**dataclasses.asdict(calibration), name=UNCERTAINTY)(poses)
    return PoseNetwork(image, outputs, name=name, architecture=architecture)


def _mean(values: Sequence[keras.KerasTensor], name: str) -> keras.KerasTensor:
    return layers.Average(name=name)(list(values)) if len(values) > 1 else values[0]
