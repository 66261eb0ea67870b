"""Poses in the camera's coordinates, for faces away from the center of the image."""

import math

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.pose import poses_from_rotations, rotation_matrices

__all__ = ["camera_matrix", "pose_in_camera"]


def camera_matrix(field_of_view_deg: float, image_shape: tuple[int, ...]) -> np.ndarray:
    """Build the matrix of a pinhole camera from its horizontal field of view.

    Args:
        field_of_view_deg: Horizontal field of view in degrees, in (0, 180); a webcam has about 60 to 75.
        image_shape: Height and width of the image; further axes are ignored.

    Returns:
        `(3, 3)`: focal lengths and the center of the image, in pixels.

    Raises:
        InputError: If the field of view is out of range.

    Example:
        >>> fsanet_tf.camera_matrix(90.0, (480, 640)).tolist()
        [[320.0, 0.0, 320.0], [0.0, 320.0, 240.0], [0.0, 0.0, 1.0]]
    """
    if not 0 < field_of_view_deg < 180:
        raise InputError(f"field_of_view_deg: expected degrees in (0, 180), received {field_of_view_deg:g}")
    height, width = image_shape[:2]
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
        >>> camera = fsanet_tf.camera_matrix(90.0, (480, 640))
        >>> fsanet_tf.pose_in_camera(np.zeros(3), (640.0, 240.0), camera).round(6) + 0.0  # right edge
        array([45.,  0.,  0.])
    """
    camera = np.asarray(camera, np.float64)
    if camera.shape != (3, 3) or not np.isfinite(camera).all() or abs(np.linalg.det(camera)) < 1e-9:
        raise InputError(f"camera_matrix: expected an invertible (3, 3) matrix, received {camera.tolist()}")
    x, y, depth = np.linalg.solve(camera, [*center, 1.0])
    toward = np.array([-x, -y, depth]) / np.linalg.norm([x, y, depth])  # c
    axis = np.array([0.0, 0.0, 1.0])  # z
    skew = np.outer(toward, axis) - np.outer(axis, toward)  # K
    view = np.eye(3) + skew + skew @ skew / (1 + toward @ axis)  # V
    return poses_from_rotations(view @ rotation_matrices(pose_deg))
