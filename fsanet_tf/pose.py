"""Head poses as angles and as rotations: the one order, the one convention, the errors between poses.

A pose is three angles in degrees, in the order yaw, pitch, roll. The signs are those of 300W-LP and
AFLW2000. Its rotation takes the head's axes to the image's: x right, y down, z out of the picture,
towards the viewer. With the head looking at the camera all three angles are zero.
"""

import numpy as np

ANGLE_NAMES = ("yaw", "pitch", "roll")


def rotation_matrices(poses_deg: np.ndarray) -> np.ndarray:
    """Rotations Rx(pitch) · Ry(−yaw) · Rz(roll), whose columns are the axes that the original draws.

    Args:
        poses_deg: `(..., 3)`, yaw, pitch, roll in degrees.

    Returns:
        `(..., 3, 3)` float64.

    Source: the original's `draw_axis`; Zhu et al., Face Alignment Across Large Poses, CVPR 2016.
    """
    yaw, pitch, roll = np.moveaxis(np.deg2rad(np.asarray(poses_deg, np.float64)), -1, 0)
    sin_y, cos_y = np.sin(-yaw), np.cos(yaw)
    sin_p, cos_p = np.sin(pitch), np.cos(pitch)
    sin_r, cos_r = np.sin(roll), np.cos(roll)
    rows = [
        [cos_y * cos_r, -cos_y * sin_r, sin_y],
        [cos_p * sin_r + cos_r * sin_p * sin_y, cos_p * cos_r - sin_p * sin_y * sin_r, -cos_y * sin_p],
        [sin_p * sin_r - cos_p * cos_r * sin_y, sin_p * cos_r + cos_p * sin_y * sin_r, cos_y * cos_p],
    ]
    return np.moveaxis(np.array(rows), (0, 1), (-2, -1))


def poses_from_rotations(rotations: np.ndarray, beyond_profile: np.ndarray | bool = False) -> np.ndarray:
    """The inverse of `rotation_matrices`.

    Two poses give the same rotation, one with |yaw| up to 90° and one beyond.

    Args:
        rotations: `(..., 3, 3)`.
        beyond_profile: `(...)` or scalar, where to give the pose with |yaw| above 90°.

    Returns:
        `(..., 3)` yaw, pitch, roll in degrees, pitch and roll in (−180, 180].
    """
    side = np.where(beyond_profile, -1.0, 1.0)
    cos_y = side * np.hypot(rotations[..., 0, 0], rotations[..., 0, 1])
    yaw = -np.arctan2(rotations[..., 0, 2], cos_y)
    pitch = np.arctan2(-side * rotations[..., 1, 2], side * rotations[..., 2, 2])
    roll = np.arctan2(-side * rotations[..., 0, 1], side * rotations[..., 0, 0])
    return np.rad2deg(np.stack([yaw, pitch, roll], axis=-1))


def wrap_degrees(angles_deg):
    """The same angles in [−180, 180)."""
    return (angles_deg + 180.0) % 360.0 - 180.0


def angle_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Absolute differences of yaw, pitch and roll in degrees, `(N, 3)`.

    Plain differences, as the paper's: 179° and −179° are 358° apart.
    """
    return np.abs(np.asarray(predicted_deg, np.float64) - true_deg)


def geodesic_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Angle of the rotation between two poses, in degrees in [0, 180], `(N,)`."""
    return rotation_angles(rotation_matrices(predicted_deg), rotation_matrices(true_deg))


def rotation_angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Angle between rotations `(..., 3, 3)`, in degrees in [0, 180]."""
    distance = np.linalg.norm(first - second, axis=(-2, -1))  # 2√2 · sin(angle / 2)
    return np.rad2deg(2 * np.arcsin(np.clip(distance / np.sqrt(8.0), 0, 1)))


def axis_vector_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Angles between predicted and true axes of the head (left, down, front), in degrees, `(N, 3)`.

    Their mean is the MAEV of Cao et al., A Vector-based Representation to Enhance Head Pose
    Estimation, WACV 2021.
    """
    cosines = np.sum(rotation_matrices(predicted_deg) * rotation_matrices(true_deg), axis=-2)
    return np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))


def mirror_poses(poses_deg: np.ndarray) -> np.ndarray:
    """Poses `(..., 3)` of the horizontally mirrored pictures: yaw and roll change sign."""
    return np.asarray(poses_deg) * np.array([-1.0, 1.0, -1.0])


def rotate_poses(poses_deg: np.ndarray, clockwise_deg: np.ndarray) -> np.ndarray:
    """Poses of pictures turned in their plane.

    A frontal face gains that much roll; away from the front, the other two angles change as well.

    Args:
        poses_deg: `(N, 3)` yaw, pitch, roll in degrees.
        clockwise_deg: `(N,)`, how far each picture was turned clockwise, in degrees.

    Returns:
        `(N, 3)`, on the same side of profile as before.
    """
    turn = np.zeros((len(poses_deg), 3))
    turn[:, 2] = clockwise_deg
    turned = rotation_matrices(turn) @ rotation_matrices(poses_deg)
    return poses_from_rotations(turned, np.abs(poses_deg[:, 0]) > 90)
