"""Poses drawn onto pictures; nothing here predicts."""

from collections.abc import Sequence

import cv2
import numpy as np

from fsanet_tf.pose import rotation_matrices

# BGR, in the order of the rotation's columns: the head's left, down and front.
AXIS_COLOURS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
BOX_COLOUR = (200, 200, 200)
STYLES = ("axes", "cube", "both")
MIN_TEXT, MAX_TEXT = 12, 32  # height in pixels

# Corners of the back and front square of a cube about the head's centre, in half sides.
CUBE = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float)
CUBE_EDGES = [(i, (i + 1) % 4) for i in range(4)] + [(i, i + 4) for i in range(4)]
FRONT_EDGES = [(4 + i, 4 + (i + 1) % 4) for i in range(4)]


def draw_axes(
    image: np.ndarray,
    pose_deg: Sequence[float] | np.ndarray,
    centre: tuple[float, float],
    length: float,
    thickness: int = 2,
) -> None:
    """Draw the head's axes in place, as the original: X red, Y green, Z (out of the face) blue.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        pose_deg: yaw, pitch, roll in degrees.
        centre: x and y in pixels where the axes meet.
        length: of an axis that lies in the picture's plane, in pixels.
        thickness: of the lines, in pixels.
    """
    directions = rotation_matrices(np.asarray(pose_deg))[:2]  # x and y of the three axes
    for axis, colour in enumerate(AXIS_COLOURS):
        _line(image, centre, np.array(centre) + length * directions[:, axis], colour, thickness)


def draw_cube(
    image: np.ndarray,
    pose_deg: Sequence[float] | np.ndarray,
    centre: tuple[float, float],
    side: float,
    thickness: int = 2,
) -> None:
    """Draw a cube that turns with the head, in place; its front, where the face looks, is blue.

    Args:
        image, pose_deg, centre, thickness: as `draw_axes`.
        side: of the cube, in pixels.
    """
    rotation = rotation_matrices(np.asarray(pose_deg))
    corners = np.array(centre) + side / 2 * (CUBE @ rotation.T)[:, :2]
    for edges, colour in ((CUBE_EDGES, AXIS_COLOURS[1]), (FRONT_EDGES, AXIS_COLOURS[2])):
        for start, end in edges:
            _line(image, corners[start], corners[end], colour, thickness)


def _line(image: np.ndarray, start, end, colour: tuple[int, int, int], thickness: int) -> None:
    first, second = ((round(float(x)), round(float(y))) for x, y in (start, end))
    cv2.line(image, first, second, colour, thickness, cv2.LINE_AA)


def format_angles(pose_deg: Sequence[float] | np.ndarray) -> str:
    """Yaw, pitch, roll in whole degrees, with signs: `+3 -16 +0`."""
    return " ".join(f"{round(float(angle)):+d}" for angle in pose_deg)


def write_text(image: np.ndarray, text: str, origin: tuple[int, int], height: int = 12) -> None:
    """Write a line in place, white on a dark outline, its lower left corner at `origin`.

    It is moved where it would leave the image.
    """
    scale, stroke = height / 22, max(1, height // 10)
    (width, _), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, scale, stroke + 2)
    x = max(min(origin[0], image.shape[1] - width - 1), 1)
    y = max(min(origin[1], image.shape[0] - below - 1), height + 1)
    for colour, thickness in (((0, 0, 0), stroke + 2), ((255, 255, 255), stroke)):
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, colour, thickness, cv2.LINE_AA)


def draw_face(
    image: np.ndarray,
    box: tuple[float, float, float, float],
    pose_deg: Sequence[float] | np.ndarray,
    style: str = "axes",
    label: str = "",
) -> None:
    """Draw one face's pose, box and angles in place, in sizes that suit the face.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: left, top, right, bottom in pixels.
        pose_deg: yaw, pitch, roll in degrees.
        style: one of `STYLES`.
        label: written before the angles, such as the number of the track.

    Raises:
        ValueError: unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"style must be one of {', '.join(STYLES)}. Received: {style}")
    left, top, right, bottom = (round(edge) for edge in box)
    side = max(right - left, bottom - top)
    thickness = max(1, side // 80)
    centre = ((left + right) / 2, (top + bottom) / 2)
    cv2.rectangle(image, (left, top), (right, bottom), BOX_COLOUR, max(1, thickness // 2), cv2.LINE_AA)
    if style != "axes":
        draw_cube(image, pose_deg, centre, side * 0.8, thickness)
    if style != "cube":
        draw_axes(image, pose_deg, centre, side * 0.6, thickness + 1)
    height = int(np.clip(side / 10, MIN_TEXT, MAX_TEXT))
    write_text(
        image, f"{label} {format_angles(pose_deg)}".strip(), (left, bottom + height + height // 2), height
    )
