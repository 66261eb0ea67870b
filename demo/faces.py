"""The faces of a picture: numbered where there are several, alike in print and drawing."""

from collections.abc import Sequence

import numpy as np

from fsanet_tf.drawing import draw_face
from fsanet_tf.predictor import FacePose


def numbers(faces: Sequence[FacePose]) -> list[int | None]:
    """A number for each face: its track's, its place among several, or None for a lone face."""
    return [face.track or (place if len(faces) > 1 else None) for place, face in enumerate(faces, 1)]


def draw_faces(image: np.ndarray, faces: Sequence[FacePose], style: str) -> None:
    """Draw every face's pose in place, with its number.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        faces: with poses.
        style: one of `fsanet_tf.drawing.STYLES`.
    """
    for number, face in zip(numbers(faces), faces, strict=True):
        draw_face(image, face.box, face.pose_deg, style, f"{number}:" if number else "")
