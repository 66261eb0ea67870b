"""Draw which way each angle rotates the head: `python docs/draw_signs.py --output=docs/signs.png`."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from fsanet_tf.data.preprocessing.synthetic_head import Person, random_person, render
from fsanet_tf.drawing.poses import draw_axes, draw_cube, write_text
from fsanet_tf.io.images import write_image

SIDE = 240
SEED = 5
HEADS = {
    "all 0": (0, 0, 0),
    "yaw +40": (40, 0, 0),
    "pitch +30": (0, 30, 0),
    "roll +30": (0, 0, 30),
}


def draw_head(person: Person, name: str, pose_deg: tuple[int, int, int]) -> np.ndarray:
    """Draw a rendered head above its axes and cube, with its name."""
    background = np.full((SIDE, SIDE, 3), 235, np.uint8)
    light = np.array([0.3, -0.5, 1.0])
    head = render(np.array(pose_deg), person, background, (SIDE / 2, SIDE / 2), SIDE * 0.3, light)
    drawn = head.copy()
    draw_cube(drawn, pose_deg, (SIDE / 2, SIDE / 2), SIDE * 0.5)
    draw_axes(drawn, pose_deg, (SIDE / 2, SIDE / 2), SIDE * 0.42, 3)
    pair = np.vstack([head, drawn])
    write_text(pair, name, (6, 20), 15)
    return pair


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="signs.png", help="Image to write.")
    output = parser.parse_args().output
    person = random_person(np.random.default_rng(SEED))
    write_image(output, np.hstack([draw_head(person, *item) for item in HEADS.items()]))
    print(f"drawn: {output}")
