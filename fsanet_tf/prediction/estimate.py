"""One call from an image to the poses of its faces."""

import dataclasses
import os
from typing import Any, Literal

import cv2
import numpy as np

from fsanet_tf.detection.detection import Detector
from fsanet_tf.detection.detectors import load_detector_once
from fsanet_tf.detection.face_pose import FacePose, certainty, evidence, is_face, turned
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.camera import camera_matrix
from fsanet_tf.io.images import as_bgr, decode_image, decode_pil, read_image
from fsanet_tf.networks.network import Networks
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.options import checked
from fsanet_tf.prediction.predictor import PosePredictor, load_network_once

__all__ = ["estimate"]


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
        network: As for `load_network`: a path, one of `list_networks()`, a loaded network or Keras model, or
            several, which are averaged.
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
    any_orientation = checked("any_orientation", bool, any_orientation)
    return FaceFinder(predictor, load_detector_once(detector), any_orientation).find(frame)


@dataclasses.dataclass(frozen=True)
class FaceFinder:
    """Finds the faces of photos, as `PoseTracker` those of videos.

    Attributes:
        predictor: Predicts the poses.
        detect: Finds the boxes.
        any_orientation: As for `estimate`.
        field_of_view_deg: Horizontal field of view of the camera; None: poses are as the crops show them.
    """

    predictor: PosePredictor
    detect: Detector
    any_orientation: bool = False
    field_of_view_deg: float | None = None

    def find(self, frame: np.ndarray) -> list[FacePose]:
        """Find the faces of a photo, the most certain first.

        Args:
            frame: uint8 BGR `(height, width, 3)`.
        """
        image = frame
        found = []
        for quarters in range(4 if self.any_orientation else 1):
            if quarters:
                image = cv2.rotate(image, cv2.ROTATE_90_CLOCKWISE)
            faces = self.predictor.predict(image, self.detect(image))
            kept = [turned(f, -quarters % 4, image.shape) for f in faces if is_face(f.score, f.face_score)]
            found.append(sorted(kept, key=certainty, reverse=True))
        best = max(found, key=lambda faces: max(map(evidence, faces), default=0.0))
        if self.field_of_view_deg is None:
            return best
        camera = camera_matrix(self.field_of_view_deg, frame.shape)
        return [face.in_camera(camera) for face in best]


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
