"""From a frame and boxes to poses: every face by the one crop, all of them in one batch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fsanet_tf.crop import crop_box, grow_box, require_bgr
from fsanet_tf.detectors import Detection
from fsanet_tf.errors import InputError
from fsanet_tf.networks import Network, load_network


@dataclasses.dataclass(frozen=True)
class FacePose:
    """A face and its pose.

    Attributes:
        box: left, top, right, bottom of the face in pixels, as it was given.
        score: of the detector.
        yaw, pitch, roll: in degrees.
        track: number of the face in a video; None: not tracked.
    """

    box: tuple[float, float, float, float]
    score: float
    yaw: float
    pitch: float
    roll: float
    track: int | None = None

    @property
    def pose_deg(self) -> tuple[float, float, float]:
        return self.yaw, self.pitch, self.roll


class PosePredictor:
    """Head poses of the faces in a frame.

    Args:
        network: a path, the name of a shipped network, or a loaded `Network`.
        margin_ratio: how far landmark boxes are grown on each side; default: what the network's card says.

    Example:
        >>> frame = cv2.imread("photo.jpg")
        >>> faces = PosePredictor("fusion").predict(frame, make_detector()(frame))
    """

    def __init__(self, network: str | Path | Network, margin_ratio: float | None = None):
        self.network = network if isinstance(network, Network) else load_network(network)
        self.crop_rule = self.network.crop
        if margin_ratio is not None:
            self.crop_rule = dataclasses.replace(self.crop_rule, margin_ratio=margin_ratio)

    def predict(self, frame: np.ndarray, faces: Sequence[Detection]) -> list[FacePose]:
        """Poses of all faces of a frame, in one batch.

        Args:
            frame: uint8 BGR `(height, width, 3)`, in [0, 255].
            faces: boxes with scores; a box that lies outside the frame is left out.

        Raises:
            InputError: the frame is no such image, or a pose is not finite.
        """
        kept, crops = self.crop(frame, faces)
        if not kept:
            return []
        poses = self.network.predict(crops)
        if not np.isfinite(poses).all():
            raise InputError("the network's answer is not finite")
        return [
            FacePose(face.box, face.score, yaw, pitch, roll, face.track)
            for face, (yaw, pitch, roll) in zip(kept, poses.tolist(), strict=True)
        ]

    def crop(self, frame: np.ndarray, faces: Sequence[Detection]) -> tuple[list[Detection], np.ndarray]:
        """The faces that lie in the frame, and their crops, float32 `(N, size, size, 3)`; as `predict`."""
        require_bgr(frame, "frame")
        kept, crops = [], []
        for face in faces:
            landmark_box = face.landmark_box or face.box
            try:
                box = grow_box(landmark_box, self.crop_rule, frame.shape)
            except InputError:
                continue  # no box at all
            if box[0] < box[2] and box[1] < box[3]:
                crops.append(crop_box(frame, box, self.network.image_size))
                kept.append(face)
        size = self.network.image_size
        return kept, np.array(crops, np.float32).reshape(-1, size, size, 3)
