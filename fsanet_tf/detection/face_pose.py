"""A detected face with its head pose."""

import dataclasses

import numpy as np

from fsanet_tf.geometry.crop import BOX_NAMES, Box
from fsanet_tf.geometry.pose import ANGLE_NAMES, quaternions, rotation_matrices

__all__ = ["FacePose"]

COLUMNS = (*BOX_NAMES, "score", *ANGLE_NAMES, "uncertainty_deg", "face_score")  # of a face in every table
MIN_FACE_SCORE = 0.5  # below, a network says that its crop shows no face
MIN_EVIDENCE = 1.45  # sum of the detector's and the network's score from which a detection is a face
DEFAULT_FACE_SCORE = 0.85  # of networks that predict none: the detector's score must then be 0.6


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
        position_mm: x (right), y (down), z (away) from the camera in millimeters; None: no camera was given.

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


def is_face(score: float | None, face_score: float | None = None) -> bool:
    """Decide whether a detection is a face: the surer the network, the less the detector has to be.

    Args:
        score: Of the detector, in [0, 1]; None counts as 1.
        face_score: Of the network, in [0, 1]; None: the network does not predict it.
    """
    own = DEFAULT_FACE_SCORE if face_score is None else face_score
    return own >= MIN_FACE_SCORE and (1 if score is None else score) + own >= MIN_EVIDENCE
