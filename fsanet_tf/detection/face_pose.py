"""A detected face with its head pose."""

from __future__ import annotations

import dataclasses
import reprlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.camera import pose_in_camera, position_in_camera
from fsanet_tf.geometry.crop import BOX_NAMES, Box
from fsanet_tf.geometry.pose import ANGLE_NAMES, quaternions, rotate_poses, rotation_matrices

__all__ = ["FacePose"]

COLUMNS = (*BOX_NAMES, "score", *ANGLE_NAMES, "uncertainty_deg", "face_score")  # of a face in every table
MIN_FACE_SCORE = 0.5  # below, a network says that its crop shows no face
MIN_EVIDENCE = 1.45  # sum of the detector's and the network's score from which a detection is a face
DEFAULT_FACE_SCORE = 0.85  # of networks that predict none: the detector's score must then be 0.6
UNCERTAINTY_SCALE_DEG = 10.0  # expected error at which a face counts half in the choice of an orientation


@dataclasses.dataclass(frozen=True)
class FacePose:
    """A face and its pose.

    Attributes:
        box: Face box: left, top, right, bottom in pixels.
        score: Confidence of the detector, in [0, 1]; None: not detected in this frame, but tracked.
        yaw, pitch, roll: In degrees, with the signs of 300W-LP.
        track: Number of the face in a video; None: not tracked.
        index: Position of its detection in the call that predicted it.
        uncertainty_deg: Expected geodesic error in degrees; None: the network does not predict it.
        face_score: The network's probability that this is a face; None: the network does not predict it.
        position_mm: x (right), y (down), z (away) from the camera in millimeters, as `in_camera` adds it.

    Example:
        >>> face = fsanet_tf.FacePose((10, 20, 110, 140), 0.9, yaw=30.0, pitch=-5.0, roll=0.0)
        >>> face.rotation_matrix.shape, face.quaternion.shape
        ((3, 3), (4,))
    """

    box: Box
    score: float | None
    yaw: float
    pitch: float
    roll: float
    track: int | None = None
    index: int = 0
    uncertainty_deg: float | None = None
    face_score: float | None = None
    position_mm: tuple[float, float, float] | None = None

    @property
    def pose_deg(self) -> tuple[float, float, float]:
        """Yaw, pitch, roll in degrees."""
        return self.yaw, self.pitch, self.roll

    def row(self) -> dict[str, float | None]:
        """Return the face's values by column of a table: box, scores, pose and expected error."""
        box = map(float, self.box)  # exact: networks crop by it
        values = (*box, self.score, *self.pose_deg, self.uncertainty_deg, self.face_score)
        return dict(zip(COLUMNS, values, strict=True))

    @property
    def rotation_matrix(self) -> np.ndarray:
        """The rotation `(3, 3)` from the head's axes to the camera's; see `rotation_matrices`."""
        matrix: np.ndarray = rotation_matrices(self.pose_deg)
        return matrix

    @property
    def quaternion(self) -> np.ndarray:
        """The rotation as a unit quaternion `(4,)`: x, y, z, w."""
        return quaternions(self.pose_deg)

    def in_camera(self, camera: np.ndarray) -> FacePose:
        """Return the face with its pose relative to the camera, and its position.

        Args:
            camera: `(3, 3)`: matrix of the camera; see `camera_matrix`.

        Raises:
            InputError: If `camera` is not an invertible 3×3 matrix.
        """
        center = (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2
        pose = pose_in_camera(np.array(self.pose_deg), center, camera)
        return with_pose(self, pose, position_mm=position_in_camera(self.box, camera))


def is_face(score: float | None, face_score: float | None = None) -> bool:
    """Decide whether a detection is a face: the surer the network, the less the detector has to be.

    Args:
        score: Of the detector, in [0, 1]; None counts as 1.
        face_score: Of the network, in [0, 1]; None: the network does not predict it.
    """
    own = DEFAULT_FACE_SCORE if face_score is None else face_score
    return own >= MIN_FACE_SCORE and (1 if score is None else score) + own >= MIN_EVIDENCE


def require_faces(faces: Any) -> Sequence[FacePose]:
    """Return some faces, or raise `InputError` if they are no list of `FacePose`."""
    if not isinstance(faces, list | tuple) or not all(isinstance(face, FacePose) for face in faces):
        raise InputError(f"faces: expected a list of FacePose, received {reprlib.repr(faces)}")
    return faces


def with_pose(face: FacePose, pose_deg: Iterable[float], **changes: Any) -> FacePose:
    """Return a face with other angles, yaw, pitch, roll in degrees, and with other attributes."""
    yaw, pitch, roll = map(float, pose_deg)
    return dataclasses.replace(face, yaw=yaw, pitch=pitch, roll=roll, **changes)


def turned(face: FacePose, quarters: int, image_shape: tuple[int, ...]) -> FacePose:
    """Return a face as the image shows it that is turned clockwise by quarters.

    Args:
        face: A face of the image as it is.
        quarters: How many, from 0.
        image_shape: Height and width of the image as it is; further axes are ignored.
    """
    if not quarters:
        return face
    left, top, right, bottom = face.box
    for turn in range(quarters):
        height = image_shape[turn % 2]
        left, top, right, bottom = height - bottom, left, height - top, right
    (pose,) = rotate_poses(np.array([face.pose_deg]), np.array([90.0 * quarters]))
    return with_pose(face, pose, box=(left, top, right, bottom))


def certainty(face: FacePose) -> float:
    """Return how sure detector and network are that this is a face, in [0, 1]."""
    return (face.score or 0) * (1 if face.face_score is None else face.face_score)


def evidence(face: FacePose) -> float:
    """Return the certainty, reduced by the expected error: what decides between orientations."""
    return certainty(face) / (1 + (face.uncertainty_deg or 0) / UNCERTAINTY_SCALE_DEG)
