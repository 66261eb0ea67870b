"""Which way each angle turns the head, drawn: `python demo/signs.py --output=docs/signs.png`."""

from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.commands.command_line import run
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
    """A rendered head beside its axes and cube, with its name."""
    background = np.full((SIDE, SIDE, 3), 235, np.uint8)
    light = np.array([0.3, -0.5, 1.0])
    head = render(np.array(pose_deg), person, background, (SIDE / 2, SIDE / 2), SIDE * 0.3, light)
    drawn = head.copy()
    draw_cube(drawn, pose_deg, (SIDE / 2, SIDE / 2), SIDE * 0.5)
    draw_axes(drawn, pose_deg, (SIDE / 2, SIDE / 2), SIDE * 0.42, 3)
    pair = np.vstack([head, drawn])
    write_text(pair, name, (6, 20), 15)
    return pair


def main() -> None:
    person = random_person(np.random.default_rng(SEED))
    write_image(Path(flags.FLAGS.output), np.hstack([draw_head(person, *item) for item in HEADS.items()]))
    print(f"drawn: {flags.FLAGS.output}")


if __name__ == "__main__":
    flags.DEFINE_string("output", "signs.png", "Picture to write.")
    run(main)
