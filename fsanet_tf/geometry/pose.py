"""Head poses as angles and as rotations: the one order, the one sign convention, the error metrics.

A pose is three angles in degrees, in the order yaw, pitch, roll, with the signs of 300W-LP and AFLW2000.
Its rotation takes the head's axes to the camera's: x right, y down, z toward the viewer. With the head
facing the camera, all three angles are zero.
"""

import math
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError

__all__ = [
    "mirror_poses",
    "poses_from_rotations",
    "quaternions",
    "rotate_poses",
    "rotation_matrices",
]

ANGLE_NAMES = ("yaw", "pitch", "roll")
MIRROR_SIGNS = (-1.0, 1.0, -1.0)  # of yaw, pitch, roll in a horizontally mirrored image
MAX_ANGLE_DEG = 99.0  # the paper's protocol 1 drops faces with a larger angle


def as_poses(poses_deg: Any) -> np.ndarray:
    """Return poses as float64 `(..., 3)`.

    Raises:
        InputError: If they are something else.
    """
    return _numbers(poses_deg, (3,), "poses_deg: expected yaw, pitch, roll in degrees")


def _numbers(values: Any, last_sides: tuple[int, ...], expected: str) -> np.ndarray:
    """Return an array of float64 whose last axes have these sides, or raise `InputError`."""
    try:
        array = np.asarray(values, np.float64)
    except (TypeError, ValueError):
        array = np.zeros(0)
    if array.shape[-len(last_sides) :] != last_sides:
        raise InputError(f"{expected}, received {values}")
    return array


def rotation_matrices(poses_deg: Any, ops: Any = np) -> Any:
    """Compute Rx(pitch) · Ry(−yaw) · Rz(roll), whose columns are the axes that the original draws.

    Args:
        poses_deg: `(..., 3)`: yaw, pitch, roll in degrees.
        ops: `numpy`, which computes in float64, or `keras.ops`, which computes in the type of a tensor.

    Returns:
        `(..., 3, 3)`.

    Raises:
        InputError: If an array has another shape.

    Example:
        >>> from fsanet_tf.geometry.pose import rotation_matrices
        >>> np.allclose(rotation_matrices([0.0, 0.0, 0.0]), np.eye(3))
        True

    Reference:
        The original's `draw_axis`; Zhu et al., Face Alignment Across Large Poses, CVPR 2016.
    """
    if ops is np:
        poses_deg = as_poses(poses_deg)
    yaw, pitch, roll = (poses_deg[..., i] * (math.pi / 180) for i in range(3))
    sin_y, cos_y = ops.sin(-yaw), ops.cos(yaw)
    sin_p, cos_p = ops.sin(pitch), ops.cos(pitch)
    sin_r, cos_r = ops.sin(roll), ops.cos(roll)
    rows = [
        [cos_y * cos_r, -cos_y * sin_r, sin_y],
        [cos_p * sin_r + cos_r * sin_p * sin_y, cos_p * cos_r - sin_p * sin_y * sin_r, -cos_y * sin_p],
        [sin_p * sin_r - cos_p * cos_r * sin_y, sin_p * cos_r + cos_p * sin_y * sin_r, cos_y * cos_p],
    ]
    return ops.stack([ops.stack(row, axis=-1) for row in rows], axis=-2)


def poses_from_rotations(rotations: Any, beyond_profile: Any = False, ops: Any = np) -> Any:
    """Compute the angles of rotations: the inverse of `rotation_matrices`.

    Two poses have the same rotation, one with |yaw| up to 90° and one beyond.

    Args:
        rotations: `(..., 3, 3)`.
        beyond_profile: `(...)` or scalar; where to return the pose with |yaw| above 90°.
        ops: `numpy`, or `keras.ops` for tensors.

    Returns:
        `(..., 3)`: yaw, pitch, roll in degrees, pitch and roll in (−180, 180].

    Raises:
        InputError: If an array has another shape.

    Example:
        >>> from fsanet_tf.geometry.pose import poses_from_rotations, rotation_matrices
        >>> poses_from_rotations(rotation_matrices([30.0, -10.0, 5.0])).round(6)
        array([ 30., -10.,   5.])
    """
    if ops is np:
        rotations = _numbers(rotations, (3, 3), "rotations: expected an array (..., 3, 3)")
    side = ops.where(beyond_profile, -1.0, 1.0)
    cos_y = side * ops.sqrt(rotations[..., 0, 0] ** 2 + rotations[..., 0, 1] ** 2)
    yaw = -ops.arctan2(rotations[..., 0, 2], cos_y)
    pitch = ops.arctan2(-side * rotations[..., 1, 2], side * rotations[..., 2, 2])
    roll = ops.arctan2(-side * rotations[..., 0, 1], side * rotations[..., 0, 0])
    return ops.stack([yaw, pitch, roll], axis=-1) * (180 / math.pi)


def quaternions(poses_deg: Any) -> np.ndarray:
    """Compute the unit quaternions of poses.

    Args:
        poses_deg: `(..., 3)`: yaw, pitch, roll in degrees.

    Returns:
        `(..., 4)` float64: x, y, z, w, of the rotation of `rotation_matrices`. A quaternion and its
        negative are the same rotation.

    Example:
        >>> from fsanet_tf.geometry.pose import quaternions
        >>> quaternions([-90.0, 90.0, 0.0]).round(6)
        array([0.5, 0.5, 0.5, 0.5])
    """
    half = np.deg2rad(as_poses(poses_deg)) / 2
    (sin_y, cos_y), (sin_p, cos_p), (sin_r, cos_r) = (
        (np.sin(angle), np.cos(angle)) for angle in (-half[..., 0], half[..., 1], half[..., 2])
    )
    return np.stack(
        [
            sin_p * cos_y * cos_r + cos_p * sin_y * sin_r,
            cos_p * sin_y * cos_r - sin_p * cos_y * sin_r,
            cos_p * cos_y * sin_r + sin_p * sin_y * cos_r,
            cos_p * cos_y * cos_r - sin_p * sin_y * sin_r,
        ],
        axis=-1,
    )


def wrap_degrees(angles_deg):
    """Return the same angles in [−180, 180)."""
    return (angles_deg + 180.0) % 360.0 - 180.0


def within_angle(poses_deg: np.ndarray, max_angle_deg: float = MAX_ANGLE_DEG) -> np.ndarray:
    """Return which poses `(N, 3)` have all three angles within ±`max_angle_deg`, `(N,)`."""
    return (np.abs(poses_deg) <= max_angle_deg).all(axis=1)


def angle_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Compute the absolute error of each angle `(N, 3)`, in degrees, as the original does.

    Angles are not wrapped: −179° and +179° are 358° apart.
    """
    return np.abs(np.asarray(predicted_deg, np.float64) - true_deg)


def geodesic_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Compute the angle of the rotation between two poses, in degrees in [0, 180], `(N,)`."""
    return rotation_angles(rotation_matrices(predicted_deg), rotation_matrices(true_deg))


def rotation_angles(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Compute the angle between rotations `(..., 3, 3)`, in degrees in [0, 180]."""
    distance = np.linalg.norm(first - second, axis=(-2, -1))  # 2√2 · sin(angle / 2)
    return np.rad2deg(2 * np.arcsin(np.clip(distance / np.sqrt(8.0), 0, 1)))


def axis_vector_errors(predicted_deg: np.ndarray, true_deg: np.ndarray) -> np.ndarray:
    """Compute the angles between predicted and true axes of the head (left, down, front), `(N, 3)`.

    In degrees. Their mean is the MAEV of Cao et al., A Vector-based Representation to Enhance Head Pose
    Estimation, WACV 2021.
    """
    cosines = np.sum(rotation_matrices(predicted_deg) * rotation_matrices(true_deg), axis=-2)
    return np.rad2deg(np.arccos(np.clip(cosines, -1, 1)))


def mirror_poses(poses_deg: np.ndarray) -> np.ndarray:
    """Return the poses of horizontally mirrored images: yaw and roll change sign.

    Args:
        poses_deg: `(..., 3)`: yaw, pitch, roll in degrees.

    Returns:
        `(..., 3)`.

    Example:
        >>> from fsanet_tf.geometry.pose import mirror_poses
        >>> mirror_poses([20.0, 10.0, 5.0])
        array([-20.,  10.,  -5.])
    """
    return as_poses(poses_deg) * np.array(MIRROR_SIGNS)


def rotate_poses(poses_deg: np.ndarray, clockwise_deg: np.ndarray) -> np.ndarray:
    """Return the poses of images rotated in their plane.

    A frontal face gains that much roll; away from the front, the other two angles change as well.

    Args:
        poses_deg: `(N, 3)`: yaw, pitch, roll in degrees.
        clockwise_deg: `(N,)`: how far each image was rotated clockwise, in degrees.

    Returns:
        `(N, 3)`, on the same side of profile as before.

    Example:
        >>> from fsanet_tf.geometry.pose import rotate_poses
        >>> rotate_poses([[10.0, 0.0, 5.0]], [15.0]).round(1)
        array([[ 9.7,  2.6, 20.2]])
    """
    poses_deg = np.asarray(poses_deg)
    rotation = np.zeros((len(poses_deg), 3))
    rotation[:, 2] = clockwise_deg
    rotated = rotation_matrices(rotation) @ rotation_matrices(poses_deg)
    return poses_from_rotations(rotated, np.abs(poses_deg[:, 0]) > 90)
