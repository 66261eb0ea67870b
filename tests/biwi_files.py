"""BIWI's layout with a real face: folders of a person's frames, each with its pose."""

from pathlib import Path

import cv2
import numpy as np

from fsanet_tf.io.images import read_image

FRAME = np.zeros((480, 640, 3), np.uint8)


def write_frame(video: Path, number: int, image: np.ndarray, rotation: np.ndarray) -> None:
    """Write a frame and its rotation as BIWI has them."""
    video.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(video / f"frame_{number:05d}_rgb.png"), image)
    rows = "\n".join(" ".join(f"{value:.9f}" for value in row) for row in rotation)
    (video / f"frame_{number:05d}_pose.txt").write_text(f"{rows}\n\n1.0 2.0 900.0\n")


def write_hpdb(root: Path) -> None:
    """Three videos of two frames: the astronaut, in 640×480, looking ahead, with the box of her face."""
    frame = np.zeros_like(FRAME)
    frame[:, 64:576] = read_image("astronaut")[:480]
    for video in ("01", "02", "03"):
        for number in (3, 4):
            write_frame(root / video, number, frame, np.eye(3))
            (root / video / f"frame_{number:05d}_box.txt").write_text("240 60 350 190\n")
