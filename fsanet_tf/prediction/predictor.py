"""From a frame and boxes to poses: every face by the one crop, all of them in one batch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.detection.detection import Box, Detection
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.camera import pose_in_camera
from fsanet_tf.geometry.crop import crop_box, grow_box, require_bgr
from fsanet_tf.networks.network import Network, load_network

__all__ = ["PosePredictor"]


class PosePredictor:
    """Predict the head poses of the faces in a frame.

    Any number of threads may share one. Copies and pickles load their network again.

    Args:
        network: A path, the name of a shipped network, or a loaded `Network`.
        margin_ratio: Share of the landmark box added on each side; default: the network's own.
        mirror: Average with the predictions for mirrored crops: more accurate, in twice the time.

    Raises:
        InputError: If there is no such network, or the file cannot be used.

    Example:
        >>> frame = fsanet_tf.read_image("photo.jpg")
        >>> detect = fsanet_tf.make_detector("haar")
        >>> faces = fsanet_tf.PosePredictor("fusion").predict(frame, detect(frame))
    """

    def __init__(
        self,
        network: str | Path | Network = "fusion",
        margin_ratio: float | None = None,
        mirror: bool = False,
    ):
        self.mirror = mirror
        self.network = network if isinstance(network, Network) else load_network(network)
        self.crop_rule = self.network.crop
        if margin_ratio is not None:
            self.crop_rule = dataclasses.replace(self.crop_rule, margin_ratio=margin_ratio)

    def __reduce__(self) -> tuple[Any, ...]:
        return PosePredictor, (self.network, self.crop_rule.margin_ratio, self.mirror)

    def predict(
        self, frame: np.ndarray, faces: Sequence[Detection], camera: np.ndarray | None = None
    ) -> list[FacePose]:
        """Predict the poses of all faces of a frame, in one batch.

        Args:
            frame: uint8 BGR `(height, width, 3)`, in [0, 255].
            faces: Detections. One whose crop contains no pixel of the frame is left out; the `index` of
                each result tells which remain.
            camera: `(3, 3)`: matrix of the camera (see `camera_matrix`), which corrects the poses of faces
                away from the center; None: poses as their crops show them, as in the datasets.

        Returns:
            Faces with poses, in the order of the detections.

        Raises:
            InputError: If the frame or a detection is invalid, or a prediction is not finite.
        """
        kept, crops = self.crop(frame, faces)
        if not kept:
            return []
        poses, uncertainty = self.network.predict_with_uncertainty(crops, self.mirror)
        if not np.isfinite(poses).all():
            raise InputError(f"{self.network.name}: a predicted pose is not finite")
        if camera is not None:
            centers = [_center(faces[i].landmark_box or faces[i].box) for i in kept]
            poses = np.array(
                [pose_in_camera(pose, center, camera) for pose, center in zip(poses, centers, strict=True)]
            )
        expected = [None] * len(kept) if uncertainty is None else uncertainty.tolist()
        return [
            FacePose(faces[i].box, faces[i].score, yaw, pitch, roll, faces[i].track, i, error)
            for i, (yaw, pitch, roll), error in zip(kept, poses.tolist(), expected, strict=True)
        ]

    def crop(self, frame: np.ndarray, faces: Sequence[Detection]) -> tuple[list[int], np.ndarray]:
        """Crop the faces that lie in the frame.

        Args:
            frame, faces: As for `predict`.

        Returns:
            The positions of the faces that remain, and their crops, float32 `(N, size, size, 3)`.

        Raises:
            InputError: If the frame or a detection is invalid.
        """
        require_bgr(frame, "frame")
        size = self.network.image_size
        kept, crops = [], []
        for index, face in enumerate(faces):
            if not isinstance(face, Detection):
                raise InputError(f"face {index}: expected a Detection, received {type(face).__name__}")
            box = grow_box(face.landmark_box or face.box, self.crop_rule, frame.shape)
            if box[0] < box[2] and box[1] < box[3]:
                crops.append(crop_box(frame, box, size))
                kept.append(index)
        return kept, np.array(crops, np.float32).reshape(-1, size, size, 3)


def _center(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
