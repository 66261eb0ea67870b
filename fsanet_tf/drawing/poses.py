"""Head poses drawn onto images."""

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import cv2
import numpy as np

from fsanet_tf.detection.detection import intersection
from fsanet_tf.errors import InputError, printable, require_choice
from fsanet_tf.geometry.crop import Box, require_box
from fsanet_tf.geometry.pose import as_poses, rotation_matrices
from fsanet_tf.io.images import require_image

__all__ = ["draw_axes", "draw_cube", "draw_face"]

Color = tuple[int, int, int]
# BGR, in the order of the rotation's columns: the head's left, down and front.
AXIS_COLORS = ((0, 0, 255), (0, 255, 0), (255, 0, 0))
BOX_COLOR = (150, 150, 150)  # seen on bright and on dark ground
OUTLINE_COLOR = (200, 200, 200)
AXIS_LENGTH, CUBE_SIDE = 0.6, 0.8  # as shares of the box's side
STYLES = ("axes", "cube", "both")
MIN_TEXT = 12  # height in pixels; in narrow images down to the next
SMALLEST_TEXT = 5

# Corners of the back and front face of a cube around the head's center, in half sides.
CUBE = np.array([[x, y, z] for z in (-1, 1) for x, y in ((-1, -1), (1, -1), (1, 1), (-1, 1))], float)
CUBE_EDGES = [(i, (i + 1) % 4) for i in range(4)] + [(i, i + 4) for i in range(4)]
FRONT_EDGES = [(4 + i, 4 + (i + 1) % 4) for i in range(4)]


def draw_axes(
    image: np.ndarray,
    pose_deg: Sequence[float] | np.ndarray,
    center: tuple[float, float],
    length: float,
    thickness: int = 2,
) -> None:
    """Draw the head's axes in place, as the original: X red, Y green, Z (out of the face) blue.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        pose_deg: Yaw, pitch, roll in degrees.
        center: x and y of the origin in pixels.
        length: Length in pixels of an axis parallel to the image plane.
        thickness: Line thickness in pixels.

    Example:
        >>> from fsanet_tf.drawing.poses import draw_axes
        >>> image = fsanet_tf.read_image("astronaut")
        >>> draw_axes(image, (10.0, -5.0, 0.0), center=(225, 120), length=60)
    """
    directions = rotation_matrices(_finite(pose_deg))[:2]  # x and y of the three axes
    tips = _on_plane(center) + length * directions.T
    with canvas_of(image) as canvas:
        _draw_lines(canvas, [(center, *line) for line in zip(tips, AXIS_COLORS, strict=True)], thickness)


def draw_cube(
    image: np.ndarray,
    pose_deg: Sequence[float] | np.ndarray,
    center: tuple[float, float],
    side: float,
    thickness: int = 2,
) -> None:
    """Draw a cube that rotates with the head, in place; its front, where the face looks, is blue.

    Args:
        image, pose_deg, center, thickness: As for `draw_axes`.
        side: Side of the cube in pixels.

    Example:
        >>> from fsanet_tf.drawing.poses import draw_cube
        >>> image = fsanet_tf.read_image("astronaut")
        >>> draw_cube(image, (10.0, -5.0, 0.0), center=(225, 120), side=120)
    """
    rotation = rotation_matrices(_finite(pose_deg))
    corners = _on_plane(center) + side / 2 * (CUBE @ rotation.T)[:, :2]
    edges = [(CUBE_EDGES, AXIS_COLORS[1]), (FRONT_EDGES, AXIS_COLORS[2])]
    lines = [(corners[start], corners[end], color) for pairs, color in edges for start, end in pairs]
    with canvas_of(image) as canvas:
        _draw_lines(canvas, lines, thickness)


def _finite(pose_deg: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return one pose as an array, or raise `InputError` if it cannot be drawn."""
    pose = as_poses(pose_deg)
    if pose.ndim != 1 or not np.isfinite(pose).all():
        raise InputError(f"pose_deg: expected one pose of finite angles, received {pose_deg}")
    return pose


def _on_plane(center: tuple[float, float]) -> np.ndarray:
    """Return a point as an array, or raise `InputError` if it is none."""
    if np.shape(center) != (2,) or not np.isfinite(center).all():
        raise InputError(f"center: expected x and y in pixels, received {center}")
    return np.array(center)


@contextlib.contextmanager
def canvas_of(image: np.ndarray) -> Iterator[np.ndarray]:
    """Yield an array that OpenCV draws on: the image, or a copy that is then written into it.

    Raises:
        InputError: If it cannot be drawn on.
    """
    require_image(image)
    if not image.flags.writeable:
        raise InputError("image: expected an array to draw on, received a read-only one (draw on a copy)")
    canvas = np.ascontiguousarray(image)  # mirrored and sliced views are not contiguous
    yield canvas
    if canvas is not image:
        image[...] = canvas


def _draw_lines(image: np.ndarray, lines: Sequence[tuple[Any, Any, Color]], thickness: int) -> None:
    """Draw lines (start, end, color); thick ones with a bright outline, since blue is dim on dark ground."""
    outlines = [(start, end, OUTLINE_COLOR) for start, end, _ in lines]
    for group, width in ((outlines, thickness + 2 * (thickness // 4)), (lines, thickness)):
        for start, end, color in group:
            first, second = ((round(float(x)), round(float(y))) for x, y in (start, end))
            cv2.line(image, first, second, color, width, cv2.LINE_AA)


def format_angles(pose_deg: Sequence[float] | np.ndarray) -> str:
    """Format yaw, pitch, roll in whole degrees, with signs: `+3 -16 +0`."""
    return " ".join(f"{round(float(angle)):+d}" for angle in pose_deg)


def write_text(image: np.ndarray, text: str, origin: tuple[int, int], height: int = 12) -> None:
    """Write a line of text in place, white with a dark outline, its lower left corner at `origin`.

    It is shifted if it would leave the image.
    """
    stroke, outline = _strokes(height)
    text = printable(text)  # OpenCV crashes on what is not UTF-8
    (width, _), below = cv2.getTextSize(text, cv2.FONT_HERSHEY_SIMPLEX, height / 22, outline)
    x = max(min(origin[0], image.shape[1] - width - 1), 1)
    y = max(min(origin[1], image.shape[0] - below - 1), height + 1)
    for color, thickness in (((0, 0, 0), outline), ((255, 255, 255), stroke)):
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, height / 22, color, thickness, cv2.LINE_AA)


def draw_face(
    image: np.ndarray,
    box: Box,
    pose_deg: Sequence[float] | np.ndarray,
    style: str = "axes",
    label: str = "",
    occupied: list[Box] | None = None,
    uncertainty_deg: float | None = None,
) -> None:
    """Draw the pose, box and angles of one face in place, scaled with the face.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: left, top, right, bottom in pixels.
        pose_deg: Yaw, pitch, roll in degrees.
        style: `axes`, `cube` or `both`.
        label: Text before the angles, such as the number of the track.
        occupied: Regions (left, top, right, bottom) that the text should not cover; its own region is added.
        uncertainty_deg: Expected error, written after the angles; None: not written.

    Raises:
        InputError: If the style is unknown, the box or pose invalid, or the image another one or read-only.

    Example:
        >>> from fsanet_tf.drawing.poses import draw_face
        >>> image = fsanet_tf.read_image("photo.jpg")
        >>> for face in fsanet_tf.estimate("photo.jpg", detector="haar"):
        ...     draw_face(image, face.box, face.pose_deg)
    """
    require_choice("style", style, STYLES)
    left, top, right, bottom = map(round, require_box(box))
    side = max(right - left, bottom - top)
    thickness = max(1, side // 80)
    center = ((left + right) / 2, (top + bottom) / 2)
    expected = "" if uncertainty_deg is None else f"(error {uncertainty_deg:.0f})"
    angles = format_angles(_finite(pose_deg))
    texts = [f"{label} {angles} {expected}".strip(), f"{label} {angles}".strip(), angles]
    with canvas_of(image) as canvas:
        text, height = _fit_text(texts, max(side // 10, MIN_TEXT), image.shape[1])
        cv2.rectangle(canvas, (left, top), (right, bottom), BOX_COLOR, max(1, thickness // 2), cv2.LINE_AA)
        if style != "axes":
            draw_cube(canvas, pose_deg, center, side * CUBE_SIDE, thickness)
        if style != "cube":
            draw_axes(canvas, pose_deg, center, side * AXIS_LENGTH, thickness + 1)
        origin = _place_text(
            canvas, text, (left, top, right, bottom), height, [] if occupied is None else occupied
        )
        write_text(canvas, text, origin, height)


def _place_text(
    image: np.ndarray,
    text: str,
    box: tuple[int, int, int, int],
    height: int,
    occupied: list[Box],
) -> tuple[int, int]:
    """Choose where a face's text goes: below, above, right or left of its box, wherever it covers least.

    The place is added to the occupied ones.
    """
    left, top, right, bottom = box
    width, space = text_width(text, height), height // 2
    origins = [
        (left, bottom + height + space),
        (left, top - space),
        (right + space, (top + bottom + height) // 2),
        (left - width - space, (top + bottom + height) // 2),
        (left, bottom + 2 * (height + space)),
        (left, top - height - 2 * space),
    ]
    places = [_text_place(image, width, height, origin) for origin in origins]
    covered = [sum(intersection(place, other) for other in occupied) for place in places]
    best = covered.index(min(covered))
    occupied.append(places[best])
    return origins[best]


def _fit_text(texts: Sequence[str], height: int, width: int) -> tuple[str, int]:
    """Return the first of some texts that fits a width, and its height, which is reduced for that."""
    for text in texts:
        for fitting in range(height, SMALLEST_TEXT - 1, -1):
            if text_width(text, fitting) <= width - 2:
                return text, fitting
    return texts[-1], SMALLEST_TEXT


def _strokes(height: int) -> tuple[int, int]:
    """Return the thickness of a text's lines, and of their outline."""
    stroke = max(1, height // 10)
    return stroke, stroke + 2 * max(1, height // 16)


def text_width(text: str, height: int) -> int:
    """Return the width in pixels of a line that `write_text` writes."""
    return cv2.getTextSize(printable(text), cv2.FONT_HERSHEY_SIMPLEX, height / 22, _strokes(height)[1])[0][0]


def _text_place(image: np.ndarray, width: int, height: int, origin: tuple[int, int]) -> Box:
    """Return left, top, right, bottom of a text, after the shift that keeps it in the image."""
    x = max(min(origin[0], image.shape[1] - width - 1), 1)
    y = max(min(origin[1], image.shape[0] - height // 3), height + 1)
    return x, y - height, x + width, y + height // 3
