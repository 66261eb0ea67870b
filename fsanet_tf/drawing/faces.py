"""The faces of an image, with the same numbers on the screen and in the drawing."""

from collections.abc import Sequence

import numpy as np

from fsanet_tf.detection.face_pose import FacePose, require_faces
from fsanet_tf.drawing.poses import STYLES, canvas_of, draw_face
from fsanet_tf.errors import require_choice
from fsanet_tf.geometry.crop import Box

__all__ = ["draw_faces"]


def face_numbers(faces: Sequence[FacePose]) -> list[int | None]:
    """Return a number for each face: its track's, its position among several, or None for a single face."""
    return [face.track or (place if len(faces) > 1 else None) for place, face in enumerate(faces, 1)]


def draw_faces(
    image: np.ndarray, faces: Sequence[FacePose], style: str = "axes", show_uncertainty: bool = False
) -> None:
    """Draw every face's pose in place, with its number.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        faces: Faces with poses.
        style: `axes`, `cube` or `both`.
        show_uncertainty: Whether to write the expected errors of faces that have one.

    Raises:
        InputError: If the style is unknown, the image another one or read-only, or these are no faces.

    Example:
        >>> image = fsanet_tf.read_image("photo.jpg")
        >>> fsanet_tf.draw_faces(image, fsanet_tf.estimate("photo.jpg", detector="haar"))
    """
    require_choice("style", style, STYLES)
    require_faces(faces)
    # Texts keep clear of each other and of the boxes of other faces.
    texts: list[Box] = []
    with canvas_of(image) as canvas:
        for place, (number, face) in enumerate(zip(face_numbers(faces), faces, strict=True)):
            others = [other.box for other in (*faces[:place], *faces[place + 1 :])]
            occupied = [*texts, *others]
            label = f"{number}:" if number else ""
            expected = face.uncertainty_deg if show_uncertainty else None
            draw_face(canvas, face.box, face.pose_deg, style, label, occupied, expected)
            texts.append(occupied[-1])
