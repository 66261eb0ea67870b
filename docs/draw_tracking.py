"""Animate a camera that moves over the packaged photo, with the poses that a tracker predicts.

`python docs/draw_tracking.py --output=docs/tracking.webp`
"""

import argparse
import math
import sys
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fsanet_tf import PoseTracker, draw_faces, read_image

SIDE, FRAMES, RATE = 360, 75, 15
FACE = (228.0, 146.0)  # what the camera moves around, in pixels of the photo


def camera_window(turn: float) -> np.ndarray:
    """Return the affine map (2, 3) from the photo to the frame at a share of the closed path, in [0, 1)."""
    phase = 2 * math.pi * turn
    x = FACE[0] + 24 * math.sin(phase)
    y = FACE[1] + 12 * math.sin(2 * phase)
    zoom = SIDE / (205 + 45 * math.cos(phase))
    matrix = cv2.getRotationMatrix2D((x, y), 24 * math.sin(phase + 0.8), zoom)
    matrix[:, 2] += SIDE / 2 - np.array([x, y])
    return matrix


def draw_frames() -> list[Image.Image]:
    """Track the face through one round of the camera's path."""
    photo, tracker, frames = read_image("astronaut"), PoseTracker(), []
    for number in range(FRAMES):
        window = camera_window(number / FRAMES)
        frame = cv2.warpAffine(
            photo, window, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT
        )
        draw_faces(frame, tracker(frame, number / RATE))
        frames.append(Image.fromarray(frame[..., ::-1]))
    return frames


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--output", default="tracking.webp", help="Animation to write.")
    output = parser.parse_args().output
    first, *others = draw_frames()
    first.save(
        output, save_all=True, append_images=others, duration=1000 // RATE, loop=0, quality=70, method=4
    )
    print(f"drawn: {output}")
