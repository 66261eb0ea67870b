"""One call from an image to the poses of its faces."""

import functools
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import require_bgr
from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.predictor import PosePredictor

__all__ = ["estimate"]

load_predictor = functools.lru_cache(maxsize=8)(PosePredictor)
load_detector = functools.lru_cache(maxsize=8)(make_detector)


def estimate(
    image: str | Path | np.ndarray | Any,
    network: str = "fusion",
    detector: str = "auto",
    color_order: Literal["BGR", "RGB"] | None = None,
) -> list[FacePose]:
    """Detect the faces of an image and estimate their head poses.

    Network and detector are loaded at the first call and kept.

    Args:
        image: Path of an image file, a PIL image, or a uint8 array `(height, width, 3)` in [0, 255].
        network: Path of a network, or one of `list_networks()`.
        detector: One of `list_detectors()`, or `auto`.
        color_order: Order of an array's channels; required for arrays, since nothing else tells it.

    Returns:
        The faces with their poses.

    Raises:
        InputError: If the image, the network or the detector cannot be used.

    Example:
        >>> (face,) = fsanet_tf.estimate("photo.jpg", detector="haar")
        >>> abs(face.yaw) < 20
        True
    """
    frame = _as_bgr(image, color_order)
    return load_predictor(network).predict(frame, load_detector(detector)(frame))


def _as_bgr(image: Any, color_order: str | None) -> np.ndarray:
    if isinstance(image, str | Path):
        return read_image(image)
    if hasattr(image, "convert"):  # a PIL image
        return cv2.cvtColor(np.asarray(image.convert("RGB")), cv2.COLOR_RGB2BGR)
    if color_order not in ("BGR", "RGB"):
        raise InputError(f"color_order: expected BGR or RGB for an array, received {color_order}")
    require_bgr(image)
    return image if color_order == "BGR" else cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
