"""Rendered heads of known pose in the layout of 300W-LP or of BIWI: data for anyone, offline."""

import contextlib
import functools
import math
from collections.abc import Callable, Iterable
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fsanet_tf.data.preprocessing.crops import workers_option
from fsanet_tf.data.preprocessing.synthetic_head import (
    landmarks,
    project,
    random_background,
    random_person,
    render,
)
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.files import writable_folder
from fsanet_tf.io.images import write_image
from fsanet_tf.options import configuration, option
from fsanet_tf.parallel import exit_with_parent, num_cores, worker_processes

IMAGE_SIDE = 160  # 300W-LP's are 450; a crop of 64 pixels needs no more
MAX_POSE_DEG = np.array([75.0, 45.0, 40.0])
BIWI_SHAPE = (480, 640)
NUM_BIWI_VIDEOS = 24
LAYOUTS = ("300w_lp", "biwi")

__all__ = ["SyntheticConfig", "synthesize"]


@configuration
class SyntheticConfig:
    """Options of `synthesize`.

    Example:
        >>> fsanet_tf.SyntheticConfig("heads").layout
        '300w_lp'
    """

    output_dir: str = option(meaning="Folder to fill: the pairs, or BIWI's folders 01 to 24.")
    count: int = option(2000, "Number of images; BIWI's are distributed evenly over the folders.", low=1)
    layout: str = option(LAYOUTS[0], "Layout of the files.", choices=LAYOUTS)
    seed: int = option(0, "Random seed; an image of 300w_lp does not depend on count.", low=0)
    workers: int = workers_option()


def write_pair(number: int, output_dir: Path, seed: int) -> None:
    """Write one `.jpg` and `.mat` in the layout of 300W-LP."""
    import scipy.io

    rng = np.random.default_rng((seed, number))
    pose, person = rng.uniform(-MAX_POSE_DEG, MAX_POSE_DEG), random_person(rng)
    scale = IMAGE_SIDE * rng.uniform(0.17, 0.24)
    center = tuple(IMAGE_SIDE / 2 + rng.uniform(-0.05, 0.05, 2) * IMAGE_SIDE)
    background = random_background(rng, IMAGE_SIDE, IMAGE_SIDE)
    image = render(pose, person, background, center, scale, rng.normal((0, -0.4, 1.0), 0.5))
    points = project(landmarks(person), pose, center, scale)
    yaw, pitch, roll = np.deg2rad(pose)
    parameters = np.array([[pitch, yaw, roll, *center, 0.0, scale]])
    path = output_dir / f"synthetic_{number:05d}.jpg"
    scipy.io.savemat(path.with_suffix(".mat"), {"Pose_Para": parameters, "pt2d": points.T})
    write_image(path, image)


def biwi_rotation(pose_deg: np.ndarray) -> np.ndarray:
    """Return the rotation `(3, 3)` whose BIWI pose file reads as these yaw, pitch, roll in degrees."""
    y, x, z = np.deg2rad(np.asarray(pose_deg) * (-1, 1, -1))
    about_x = np.array([[1, 0, 0], [0, np.cos(x), -np.sin(x)], [0, np.sin(x), np.cos(x)]])
    about_y = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    about_z = np.array([[np.cos(z), -np.sin(z), 0], [np.sin(z), np.cos(z), 0], [0, 0, 1]])
    return (about_z @ about_y @ about_x).T


def write_video(number: int, output_dir: Path, seed: int, num_frames: int) -> None:
    """Write one person's folder of BIWI: images, poses and, since no detector finds these faces, boxes."""
    rng = np.random.default_rng((seed, number))
    person, background = random_person(rng), random_background(rng, *BIWI_SHAPE)
    phase, speed = rng.uniform(0, 2 * math.pi, 3), rng.uniform(0.5, 2.0, 3)
    folder = output_dir / f"{number:02d}"
    folder.mkdir(parents=True, exist_ok=True)
    for frame in range(num_frames):
        pose = MAX_POSE_DEG * 0.8 * np.sin(phase + speed * 2 * math.pi * frame / num_frames)
        center = (320 + 30 * math.sin(phase[0] + frame / num_frames), 240.0)
        scale = 60.0
        image = render(pose, person, background, center, scale, np.array([0.3, -0.4, 1.0]))
        points = project(landmarks(person), pose, center, scale)
        stem = folder / f"frame_{frame:05d}"
        rows = "\n".join(" ".join(f"{value:.9f}" for value in row) for row in biwi_rotation(pose))
        Path(f"{stem}_pose.txt").write_text(f"{rows}\n\n0.0 0.0 1000.0\n")
        edges = (*points.min(axis=0).astype(int), *points.max(axis=0).astype(int))
        Path(f"{stem}_box.txt").write_text(" ".join(str(edge) for edge in edges) + "\n")
        write_image(f"{stem}_rgb.png", image)


def synthesize(config: SyntheticConfig, progress: bool = False) -> None:
    """Render heads of known pose into a dataset.

    Args:
        config: What to render.
        progress: Whether to show a progress bar.

    Raises:
        InputError: If the folder cannot be created, or a worker dies.
        MissingExtraError: If SciPy, which writes `.mat` files, is not installed.

    Example:
        >>> fsanet_tf.synthesize(fsanet_tf.SyntheticConfig("heads", 4))
        >>> len(list(Path("heads").glob("*.mat")))
        4
    """
    output_dir = writable_folder(config.output_dir)
    with optional_dependencies():
        import scipy.io  # noqa: F401
    try:
        output_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output_dir}: cannot create the folder: {error.strerror}") from error
    chunk = 32
    write: Callable[[int], None] = functools.partial(write_pair, output_dir=output_dir, seed=config.seed)
    count = config.count
    if config.layout == "biwi":
        frames, count, chunk = -(-config.count // NUM_BIWI_VIDEOS), NUM_BIWI_VIDEOS, 1
        write = functools.partial(write_video, output_dir=output_dir, seed=config.seed, num_frames=frames)
    numbers = range(1, count + 1)
    workers = min(config.workers or num_cores(), -(-count // chunk))
    try:
        with contextlib.ExitStack() as stack:
            done: Iterable[None] = map(write, numbers)
            if workers > 1:
                pool = stack.enter_context(worker_processes(workers, exit_with_parent))
                done = pool.map(write, numbers, chunksize=chunk)
            for _ in tqdm(done, total=count, unit="head", disable=not progress):
                pass
    except BrokenExecutor as error:
        raise InputError(
            f"{output_dir}: a worker died, probably for lack of memory; try again with fewer workers"
        ) from error
