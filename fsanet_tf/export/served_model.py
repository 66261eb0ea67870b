"""What exported files compute: the mean pose of networks, of mirrored crops too, and its expected error."""

import dataclasses
from collections.abc import Sequence

import keras
from keras import layers

from fsanet_tf.layers import AppendMirrored, ExpectedError, SplitMirrored
from fsanet_tf.models.backbone import image_input
from fsanet_tf.networks.network import Uncertainty
from fsanet_tf.networks.runtimes import POSE, UNCERTAINTY


def build_served_model(
    networks: Sequence[keras.Model],
    name: str,
    mirror: bool = False,
    uncertainty: Uncertainty | None = None,
) -> keras.Model:
    """Build the model that exported files contain.

    Args:
        networks: Networks from `(batch, size, size, 3)` to `(batch, 3)`, of one image size.
        name: Name of the model.
        mirror: Average with the poses of the mirrored images.
        uncertainty: Calibration of these networks as a fusion; None: no expected error.

    Returns:
        A model from images to a dictionary: `pose` `(batch, 3)` and, with `uncertainty`,
        `uncertainty_deg` `(batch,)`.

    Raises:
        ValueError: If the networks' image sizes differ.
    """
    sizes = [network.input_shape[1] for network in networks]
    if len(set(sizes)) != 1:
        raise ValueError(f"The members of a fusion must have one image size. Received: {sizes}")
    image = image_input(sizes[0])
    images = AppendMirrored(name="append_mirrored")(image) if mirror else image
    poses = [network(images) for network in networks]
    mirrored = []
    if mirror:
        pairs = [SplitMirrored(name=f"split_{i}")(pose) for i, pose in enumerate(poses)]
        poses, mirrored = [list(half) for half in zip(*pairs, strict=True)]
    averaged = poses + mirrored
    outputs = {POSE: layers.Average(name=POSE)(averaged) if len(averaged) > 1 else averaged[0]}
    if uncertainty:
        expected = ExpectedError(**dataclasses.asdict(uncertainty), name=UNCERTAINTY)
        outputs[UNCERTAINTY] = expected(poses)
    return keras.Model(image, outputs, name=name)
