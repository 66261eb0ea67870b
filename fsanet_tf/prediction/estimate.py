"""One call from an image to the poses of its faces."""

import dataclasses
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
from fsanet_tf.geometry.crop import Box, as_bgr
from fsanet_tf.geometry.pose import rotate_poses
from fsanet_tf.io.images import decode_image, decode_pil, read_image
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.predictor import Networks, PosePredictor, in_camera

__all__ = ["estimate"]

ROTATIONS = {90: cv2.ROTATE_90_CLOCKWISE, 180: cv2.ROTATE_180, 270: cv2.ROTATE_90_COUNTERCLOCKWISE}
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
    frame: np.ndarray,
    predictor: PosePredictor,
    detect: Detector,
    camera: np.ndarray | None = None,
    any_orientation: bool = False,
) -> list[FacePose]:
    """Find the faces of a photo, as `estimate` does.

    Args:
        frame: uint8 BGR `(height, width, 3)`.
        predictor: Predicts the poses.
        detect: Finds the boxes.
        camera: As for `PosePredictor.predict`; it refers to the photo as it is.
        any_orientation: As for `estimate`.
    """
    best = _true_faces(predictor.predict(frame, detect(frame), None if any_orientation else camera))
    if not any_orientation:
        return best
    turn = 0
    for clockwise_deg, code in ROTATIONS.items():
        turned = cv2.rotate(frame, code)
        faces = _true_faces(predictor.predict(turned, detect(turned)))
        if _evidence(faces) > _evidence(best):
            best, turn = faces, clockwise_deg
    faces = [_turned_back(face, turn, frame.shape) for face in best]
    return faces if camera is None else [in_camera(face, camera) for face in faces]


def _true_faces(faces: list[FacePose]) -> list[FacePose]:
    """Return the faces that detector and network agree on, the surest first."""
    kept = [face for face in faces if is_face(face.score, face.face_score)]
    return sorted(kept, key=lambda face: -(face.score or 0) * (face.face_score or 1))


def _evidence(faces: list[FacePose]) -> float:
    """Rate an orientation by its surest face: score of the detector, of the network, expected error."""
    return max(
        (
            (face.score or 0)
            * (1 if face.face_score is None else face.face_score)
            / (1 + (face.uncertainty_deg or 0) / UNCERTAINTY_SCALE_DEG)
            for face in faces
        ),
        default=0.0,
    )


def _turned_back(face: FacePose, clockwise_deg: int, image_shape: tuple[int, ...]) -> FacePose:
    """Return a face of the image that was rotated clockwise as a face of the image itself."""
    ((yaw, pitch, roll),) = rotate_poses(np.array([face.pose_deg]), np.array([-clockwise_deg])).tolist()
    box = _box_turned_back(face.box, clockwise_deg, image_shape)
    return dataclasses.replace(face, box=box, yaw=yaw, pitch=pitch, roll=roll)


def _box_turned_back(box: Box, clockwise_deg: int, image_shape: tuple[int, ...]) -> Box:
    left, top, right, bottom = box
    height, width = image_shape[:2]
    if clockwise_deg == 90:
        return top, height - right, bottom, height - left
    if clockwise_deg == 180:
        return width - right, height - bottom, width - left, height - top
    if clockwise_deg == 270:
        return width - bottom, left, width - top, right
    return box


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
