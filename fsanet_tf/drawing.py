"""Poses drawn onto pictures; nothing here predicts."""

import cv2
import numpy as np

from fsanet_tf.pose import rotation_matrices

# BGR, in the order of the rotation's columns: the head's left, down and front.
AXIS_COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))


def draw_axes(
    image: np.ndarray, pose_deg: np.ndarray, centre: tuple[float, float], length: float, thickness: int = 2
) -> None:
    """Draw the head's axes in place, as the original: X red, Y green, Z (out of the face) blue.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        pose_deg: yaw, pitch, roll in degrees.
        centre: x and y in pixels where the axes meet.
        length: of an axis that lies in the picture's plane, in pixels.
        thickness: of the lines, in pixels.
    """
    start = (round(centre[0]), round(centre[1]))
    directions = rotation_matrices(np.asarray(pose_deg))[:2]  # x and y of the three axes
    for axis, colour in enumerate(AXIS_COLOURS):
        end = np.round(np.array(centre) + length * directions[:, axis]).astype(int)
        cv2.line(image, start, (int(end[0]), int(end[1])), colour, thickness, cv2.LINE_AA)


def write_text(image: np.ndarray, text: str, origin: tuple[int, int], height: int = 12) -> None:
    """Write a line in place, white on a dark outline, its lower left corner at `origin`."""
    scale, stroke = height / 22, max(1, height // 10)
    for colour, thickness in (((0, 0, 0), stroke + 2), ((255, 255, 255), stroke)):
        cv2.putText(image, text, origin, cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def draw_face(image: np.ndarray, box: tuple[float, float, float, float], pose_deg: np.ndarray) -> None:
    """Draw one face's axes, box and angles in place, in sizes that suit the face.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: left, top, right, bottom in pixels.
        pose_deg: yaw, pitch, roll in degrees.
    """
    left, top, right, bottom = (round(edge) for edge in box)
    side = max(right - left, bottom - top)
    thickness = max(1, side // 80)
    cv2.rectangle(image, (left, top), (right, bottom), (200, 200, 200), max(1, thickness // 2), cv2.LINE_AA)
    draw_axes(image, pose_deg, ((left + right) / 2, (top + bottom) / 2), side * 0.6, thickness + 1)
    yaw, pitch, roll = pose_deg
    height = int(np.clip(side / 10, 10, 28))
    baseline = bottom + 2 * height if bottom + 2 * height < image.shape[0] else max(top - height // 2, height)
    write_text(image, f"{yaw:+.0f} {pitch:+.0f} {roll:+.0f}", (max(left, 0), baseline), height)
