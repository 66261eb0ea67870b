"""Rendered heads of known pose, as files in the layout of 300W-LP or of BIWI: data for anyone, offline.

`python preprocessing/create_synthetic.py --output_dir=heads --count=2000`
"""

import functools
import math
from pathlib import Path

import cv2
import numpy as np
import scipy.io
from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.errors import InputError
from preprocessing.parts import num_cores, worker_context
from preprocessing.synthetic_head import landmarks, project, random_background, random_person, render

PICTURE_SIZE = 160  # 300W-LP's are 450; a crop of 64 pixels needs no more
MAX_POSE_DEG = np.array([75.0, 45.0, 40.0])
BIWI_SHAPE = (480, 640)
NUM_BIWI_VIDEOS = 24


def write_pair(number: int, output_dir: Path, seed: int) -> None:
    """One `.jpg` and `.mat` as 300W-LP has them."""
    rng = np.random.default_rng((seed, number))
    pose, person = rng.uniform(-MAX_POSE_DEG, MAX_POSE_DEG), random_person(rng)
    scale = PICTURE_SIZE * rng.uniform(0.17, 0.24)
    centre = tuple(PICTURE_SIZE / 2 + rng.uniform(-0.05, 0.05, 2) * PICTURE_SIZE)
    background = random_background(rng, PICTURE_SIZE, PICTURE_SIZE)
    picture = render(pose, person, background, centre, scale, rng.normal((0, -0.4, 1.0), 0.5))
    points = project(landmarks(person), pose, centre, scale)
    yaw, pitch, roll = np.deg2rad(pose)
    parameters = np.array([[pitch, yaw, roll, *centre, 0.0, scale]])
    path = output_dir / f"synthetic_{number:05d}.jpg"
    scipy.io.savemat(path.with_suffix(".mat"), {"Pose_Para": parameters, "pt2d": points.T})
    cv2.imwrite(str(path), picture)


def biwi_rotation(pose_deg: np.ndarray) -> np.ndarray:
    """The rotation `(3, 3)` whose BIWI pose file reads as these yaw, pitch, roll in degrees."""
    y, x, z = np.deg2rad(np.asarray(pose_deg) * (-1, 1, -1))
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).T


def write_video(number: int, output_dir: Path, seed: int, num_frames: int) -> None:
    """One person's folder of BIWI: pictures, poses and, for want of real skin, boxes."""
    rng = np.random.default_rng((seed, number))
    person, background = random_person(rng), random_background(rng, *BIWI_SHAPE)
    phase, speed = rng.uniform(0, 2 * math.pi, 3), rng.uniform(0.5, 2.0, 3)
    folder = output_dir / f"{number:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(num_frames):
        pose = MAX_POSE_DEG * 0.8 * np.sin(phase + speed * 2 * math.pi * frame / num_frames)
        centre = (320 + 30 * math.sin(phase[0] + frame / num_frames), 240.0)
        scale = 60.0
        picture = render(pose, person, background, centre, scale, np.array([0.3, -0.4, 1.0]))
        points = project(landmarks(person), pose, centre, scale)
        stem = folder / f"frame_{frame:05d}"
        rows = "\n".join(" ".join(f"{value:.9f}" for value in row) for row in biwi_rotation(pose))
        Path(f"{stem}_pose.txt").write_text(f"{rows}\n\n0.0 0.0 1000.0\n")
        edges = (*points.min(axis=0).astype(int), *points.max(axis=0).astype(int))
        Path(f"{stem}_box.txt").write_text(" ".join(str(edge) for edge in edges) + "\n")
        cv2.imwrite(f"{stem}_rgb.png", picture)


def create_synthetic(output_dir: Path, count: int, layout: str = "300w_lp", seed: int = 0) -> None:
    """Write a data set.

    Args:
        output_dir: gets the pairs, or BIWI's folders 01 to 24.
        count: pictures in all; BIWI's are shared out evenly.
        layout: `300w_lp` or `biwi`.
        seed: of everything random; picture k does not depend on `count` (300W-LP).

    Raises:
        InputError: the folder cannot be made.
    """
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output_dir}: cannot make the folder: {error.strerror}") from error
    if layout == "biwi":
        frames = -(-count // NUM_BIWI_VIDEOS)
        write = functools.partial(write_video, output_dir=output_dir, seed=seed, num_frames=frames)
        numbers = range(1, NUM_BIWI_VIDEOS + 1)
    else:
        write = functools.partial(write_pair, output_dir=output_dir, seed=seed)
        numbers = range(1, count + 1)
    chunk = 32 if layout == "300w_lp" else 1
    with worker_context().Pool(num_cores()) as pool:
        for _ in tqdm(pool.imap_unordered(write, numbers, chunk), total=len(numbers), unit="head"):
            pass


def main() -> None:
    given = flags.FLAGS
    create_synthetic(Path(given.output_dir), given.count, given.layout, given.seed)
    print(f"{given.output_dir}: {given.count} heads in the layout of {given.layout}")


if __name__ == "__main__":
    flags.DEFINE_string("output_dir", None, "Folder to fill.")
    flags.DEFINE_integer("count", 2000, "Pictures.", 1)
    flags.DEFINE_enum("layout", "300w_lp", ("300w_lp", "biwi"), "Whose files to imitate.")
    flags.DEFINE_integer("seed", 0, "Of everything random.", 0)
    flags.mark_flag_as_required("output_dir")
    run(main)
