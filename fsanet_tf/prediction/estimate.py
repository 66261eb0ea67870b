"""One call from an image to the poses of its faces."""

import functools
import os
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np

from fsanet_tf.detection.detection import Detector
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.detection.face_pose import FacePose, is_face
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import rotate_poses
from fsanet_tf.io.images import as_bgr, decode_image, decode_pil, read_image
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.predictor import Networks, PosePredictor

__all__ = ["estimate"]

UNCERTAINTY_SCALE_DEG = 10.0  # expected error at which a face counts half in the choice of an orientation

_load_named_network = functools.lru_cache(maxsize=8)(load_network)
_load_named_detector = functools.lru_cache(maxsize=8)(make_detector)


def estimate(
    image: str | os.PathLike | bytes | np.ndarray | Any,
    network: Networks = DEFAULT,
    detector: str | Detector = "auto",
    color_order: Literal["BGR", "RGB"] | None = None,
    any_orientation: bool = False,
    margin_ratio: float | None = None,
    mirror: bool = False,
    refine: int = 0,
) -> list[FacePose]:
    """Detect the faces of an image and estimate their head poses.

    A network or detector given by name is loaded at the first call and kept.

    Args:
        image: Path of an image file, its content as bytes, a PIL image (the EXIF orientation of all three is
            applied), or a uint8 array in [0, 255]: `(height, width, 3)`, or grayscale `(height, width)`.
        network: Path of a network, one of `list_networks()`, a loaded network, or several (averaged).
        detector: One of `list_detectors()`, `auto`, or a function from a frame to detections.
        color_order: Order of an array's channels; required for arrays with channels, since it cannot be
            detected.
        any_orientation: Search the image as it is, upside down, and rotated to both sides; choose the
            orientation with the most certain face.
        margin_ratio, mirror, refine: As in `PosePredictor`.

    Returns:
        The faces with their poses, relative to the given image, the most certain first. Detections that the
        network rejects by its `face_score` are left out.

    Raises:
        InputError: If the image, the network or the detector cannot be used.

    Example:
        >>> (face,) = fsanet_tf.estimate("photo.jpg", detector="haar")
        >>> abs(face.yaw) < 20
        True
    """
    frame = _as_frame(image, color_order)
    predictor = PosePredictor(load_network_once(network), margin_ratio, mirror, refine)
    return find_faces(frame, predictor, load_detector_once(detector), any_orientation=any_orientation)


def load_network_once(network: Networks) -> Network:
    """Load a network as `load_network`; those given by name or path are kept for the next call."""
    if isinstance(network, str | Path):
        return _load_named_network(str(network))
    return load_network(network)


def load_detector_once(detector: str | Detector) -> Detector:
    """Make a detector as `make_detector`; those given by name are kept for the next call."""
    return _load_named_detector(detector) if isinstance(detector, str) else make_detector(detector)


def find_faces(
    frame: np.ndarray, predictor: PosePredictor, detect: Detector, any_orientation: bool = False
) -> list[FacePose]:
    """Find the faces of a photo, as `estimate` does.

    Args:
        frame: uint8 BGR `(height, width, 3)`.
        predictor: Predicts the poses.
        detect: Finds the boxes.
        any_orientation: As for `estimate`.
    """
    found, turned = [], frame
    for quarters in range(4 if any_orientation else 1):
        if quarters:
            turned = cv2.rotate(turned, cv2.ROTATE_90_CLOCKWISE)
        faces = [f for f in predictor.predict(turned, detect(turned)) if is_face(f.score, f.face_score)]
        found.append(sorted(faces, key=_certainty, reverse=True))
    best = max(range(len(found)), key=lambda turn: max(map(_evidence, found[turn]), default=0.0))
    return [_turned_back(face, best, frame.shape) for face in found[best]]


def _certainty(face: FacePose) -> float:
    """Return how sure detector and network are that this is a face."""
    return (face.score or 0) * (1 if face.face_score is None else face.face_score)


def _evidence(face: FacePose) -> float:
    """Rate an orientation by a face: how sure it is, and how small its expected error."""
    return _certainty(face) / (1 + (face.uncertainty_deg or 0) / UNCERTAINTY_SCALE_DEG)


def _turned_back(face: FacePose, quarters: int, image_shape: tuple[int, ...]) -> FacePose:
    """Return a face of the image that was turned clockwise by quarters as a face of the image itself."""
    if not quarters:
        return face
    (pose,) = rotate_poses(np.array([face.pose_deg]), np.array([-90.0 * quarters]))
    left, top, right, bottom = face.box
    for turn in reversed(range(quarters)):
        height = image_shape[turn % 2]  # of the image that was turned
        left, top, right, bottom = top, height - right, bottom, height - left
    return face.posed(pose, box=(left, top, right, bottom))


def _as_frame(image: Any, color_order: str | None) -> np.ndarray:
    """Return an image in any form as uint8 BGR `(height, width, 3)`."""
    if isinstance(image, str | os.PathLike):
        return read_image(os.fspath(image))
    if isinstance(image, bytes):
        return decode_image(image, "image")
    if hasattr(image, "convert"):  # a PIL image
        return decode_pil(image)
    if not isinstance(image, np.ndarray):
        raise InputError(
            f"image: expected a path, bytes, a PIL image or an array, received {type(image).__name__}"
        )
    is_gray = image.ndim == 2
    if color_order not in ("BGR", "RGB") and not is_gray:
        raise InputError(f"color_order: expected BGR or RGB for an array, received {color_order}")
    frame = as_bgr(image)
    return frame if is_gray or color_order == "BGR" else cv2.cvtColor(frame, cv2.COLOR_RGB2BGR)
