"""Poses and positions in the camera's coordinates, and poses relative to a neutral one."""

import math
import numbers
import reprlib
from collections.abc import Sequence

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import Box, require_box
from fsanet_tf.geometry.pose import poses_from_rotations, rotation_matrices
from fsanet_tf.options import checked

__all__ = ["camera_matrix", "mean_pose", "pose_in_camera", "position_in_camera", "relative_pose"]

# Side of the face box of an average head: the mean bizygomatic breadth of men (143.5 mm) and women
# (135.1 mm). Source: Zhuang and Bradtmiller, Head-and-Face Anthropometric Survey of U.S. Respirator Users,
# Journal of Occupational and Environmental Hygiene 2 (2005). From brows to chin is about as long, so that the
# larger side of the box changes little as a head turns.
FACE_SIDE_MM = 139.3


def camera_matrix(field_of_view_deg: float, image_shape: tuple[int, ...]) -> np.ndarray:
    """Build the matrix of a pinhole camera from its horizontal field of view.

    Args:
        field_of_view_deg: Horizontal field of view in degrees, in (0, 180); a webcam has about 60 to 75.
        image_shape: Height and width of the image; further axes are ignored.

    Returns:
        `(3, 3)`: focal lengths and the center of the image, in pixels.

    Raises:
        InputError: If the field of view is out of range, or there is no height and width.

    Example:
        >>> fsanet_tf.camera_matrix(90.0, (480, 640)).tolist()
        [[320.0, 0.0, 320.0], [0.0, 320.0, 240.0], [0.0, 0.0, 1.0]]
    """
    field_of_view_deg = checked("field_of_view_deg", float, field_of_view_deg)
    if not 0 < field_of_view_deg < 180:
        raise InputError(f"field_of_view_deg: expected degrees in (0, 180), received {field_of_view_deg:g}")
    sides = list(image_shape[:2]) if isinstance(image_shape, list | tuple) else []
    if len(sides) < 2 or not all(isinstance(side, numbers.Real) for side in sides):
        raise InputError(f"image_shape: expected height and width, received {reprlib.repr(image_shape)}")
    height, width = sides
    focal = round(width / 2 / math.tan(math.radians(field_of_view_deg) / 2), 9)
    return np.array([[focal, 0, width / 2], [0, focal, height / 2], [0, 0, 1]])


def pose_in_camera(pose_deg: np.ndarray, center: tuple[float, float], camera: np.ndarray) -> np.ndarray:
    """Turn the pose that a crop shows into the pose relative to the camera.

    A crop shows a head as a camera would that looks straight at it. With the unit vector c from the head to
    the camera and z = (0, 0, 1), both in the camera's axes (x right, y down, z toward the viewer), that
    camera's axes are V = I + K + K² / (1 + c·z), K = c zᵀ − z cᵀ: the smallest rotation from z to c. So
    R = V · R_crop.

    Args:
        pose_deg: `(3,)`: yaw, pitch, roll in degrees, as predicted from a crop.
        center: x and y of the face's center in pixels.
        camera: `(3, 3)`: matrix of the camera that took the image, without distortion.

    Returns:
        `(3,)`: yaw, pitch, roll in degrees.

    Raises:
        InputError: If `camera` is not an invertible 3×3 matrix.

    Example:
        >>> from fsanet_tf.geometry.camera import pose_in_camera
        >>> camera = fsanet_tf.camera_matrix(90.0, (480, 640))
        >>> pose_in_camera(np.zeros(3), (640.0, 240.0), camera).round(6) + 0.0  # right edge
        array([45.,  0.,  0.])
    """
    x, y, depth = _ray(center, camera)
    toward = np.array([-x, -y, depth]) / np.linalg.norm([x, y, depth])  # c
    axis = np.array([0.0, 0.0, 1.0])  # z
    skew = np.outer(toward, axis) - np.outer(axis, toward)  # K
    view = np.eye(3) + skew + skew @ skew / (1 + toward @ axis)  # V
    return poses_from_rotations(view @ rotation_matrices(pose_deg))


def position_in_camera(box: Box, camera: np.ndarray) -> tuple[float, float, float]:
    """Locate a head of average size by its face box.

    The error is that of the size: a head that is 8 % larger than the average appears 8 % nearer.

    Args:
        box: Face box: left, top, right, bottom in pixels.
        camera: `(3, 3)`: matrix of the camera that took the image, without distortion.

    Returns:
        x (right), y (down), z (away) in millimeters from the camera.

    Raises:
        InputError: If `camera` is not an invertible 3×3 matrix, or the box is empty.

    Example:
        >>> from fsanet_tf.geometry.camera import position_in_camera
        >>> camera = fsanet_tf.camera_matrix(90.0, (480, 640))
        >>> x, y, z = position_in_camera((320.0, 190.0, 420.0, 290.0), camera)
        >>> round(x), round(y), round(z)
        (70, 0, 446)
    """
    left, top, right, bottom = require_box(box)
    size = max(right - left, bottom - top)
    if not size:
        raise InputError(f"box {box}: expected a width and a height above 0")
    x, y, depth = _ray(((left + right) / 2, (top + bottom) / 2), camera)
    focal = (camera[0][0] + camera[1][1]) / 2
    away = focal * FACE_SIDE_MM / size
    return float(x / depth * away), float(y / depth * away), float(away)


def _ray(center: tuple[float, float], camera: np.ndarray) -> np.ndarray:
    """Return the direction in which a camera sees a pixel: x right, y down, z away."""
    camera = np.asarray(camera, np.float64)
    if camera.shape != (3, 3) or not np.isfinite(camera).all() or abs(np.linalg.det(camera)) < 1e-9:
        raise InputError(f"camera_matrix: expected an invertible (3, 3) matrix, received {camera.tolist()}")
    direction: np.ndarray = np.linalg.solve(camera, [*center, 1.0])
    return direction


def mean_pose(poses_deg: np.ndarray) -> np.ndarray:
    """Compute the mean of poses as rotations.

    Args:
        poses_deg: `(N, 3)`: yaw, pitch, roll in degrees, at least one.

    Returns:
        `(3,)`: yaw, pitch, roll in degrees.

    Raises:
        InputError: If there is no pose.

    Example:
        >>> from fsanet_tf.geometry.camera import mean_pose
        >>> mean_pose([[10.0, 0.0, 0.0], [20.0, 0.0, 0.0]]).round(6) + 0.0
        array([15.,  0.,  0.])
    """
    if not len(poses_deg):
        raise InputError("poses_deg: expected at least one pose, received none")
    left, _, right = np.linalg.svd(rotation_matrices(poses_deg).mean(axis=0))
    nearest = left @ np.diag([1.0, 1.0, np.linalg.det(left @ right)]) @ right
    pose: np.ndarray = poses_from_rotations(nearest)
    return pose


def relative_pose(pose_deg: Sequence[float] | np.ndarray, neutral_deg: np.ndarray) -> np.ndarray:
    """Return a pose relative to a neutral one, such as that of a driver who looks ahead.

    Args:
        pose_deg: `(..., 3)`: yaw, pitch, roll in degrees.
        neutral_deg: `(3,)`: the pose that becomes zero; of a tilted camera, `mean_pose` of some frames.

    Returns:
        `(..., 3)`: yaw, pitch, roll in degrees.

    Example:
        >>> from fsanet_tf.geometry.camera import relative_pose
        >>> relative_pose([30.0, -20.0, 0.0], [0.0, -20.0, 0.0]).round(6) + 0.0
        array([30.,  0.,  0.])
    """
    relative = rotation_matrices(neutral_deg).T @ rotation_matrices(pose_deg)
    pose: np.ndarray = poses_from_rotations(relative)
    return pose
