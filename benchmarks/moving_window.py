"""Videos of known truth: a moving, zooming, turning window on a photo of one face."""

import dataclasses
import math
from collections.abc import Iterator

import cv2
import numpy as np

from fsanet_tf.geometry.crop import Box

RATE = 30.0  # frames per second
FACE_SHARE = 0.35  # of the frame's height that the face covers in the mean


@dataclasses.dataclass(frozen=True)
class Motion:
    """Motion of the face in the window.

    Attributes:
        travel: Reach of its center from the middle, as a share of what keeps the face in the frame.
        crossings_s: How often it crosses the frame in a second.
        zoom: Largest factor by which it grows and shrinks.
        turn_deg: Largest angle by which it turns in the picture.
    """

    travel: float = 0.0
    crossings_s: float = 0.0
    zoom: float = 1.0
    turn_deg: float = 0.0


MOTIONS = {
    "at rest": Motion(),
    "moving": Motion(travel=0.8, crossings_s=0.25, zoom=1.25, turn_deg=10),
    "a crossing per second": Motion(travel=0.9, crossings_s=1.0, zoom=1.1),
}


def moving_window(
    image: np.ndarray, box: Box, motion: Motion, frames: int, size: tuple[int, int] = (640, 480)
) -> Iterator[tuple[np.ndarray, Box]]:
    """Yield the frames of a video and the box of the face in each.

    Args:
        image: uint8 BGR `(height, width, 3)`.
        box: Face box in it.
        motion: How the face moves.
        frames: Number of frames, `RATE` per second.
        size: Width and height of the frames.
    """
    center = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    side = math.sqrt((box[2] - box[0]) * (box[3] - box[1]))
    for number in range(frames):
        angle = math.pi * motion.crossings_s * number / RATE
        scale = FACE_SHARE * size[1] / side * motion.zoom ** math.sin(0.7 * angle)
        half_face = scale * side / 2
        reach = motion.travel * np.maximum(np.array(size) / 2 - half_face, 0)
        place = np.array(size) / 2 + reach * (math.sin(angle), 0.3 * math.sin(1.3 * angle))
        turn = math.radians(motion.turn_deg) * math.sin(0.5 * angle)
        rotation = scale * np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        matrix = np.column_stack([rotation, place - rotation @ center])
        half = scale * np.array([box[2] - box[0], box[3] - box[1]]) / 2
        truth = (*(place - half), *(place + half))
        flags = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        yield cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), truth
