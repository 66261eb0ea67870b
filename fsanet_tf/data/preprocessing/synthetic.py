"""Rendered heads of known pose in the layout of 300W-LP: data for anyone, offline."""

import contextlib
import functools
from collections.abc import Iterable
from concurrent.futures import BrokenExecutor
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
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
from fsanet_tf.options import checked, configuration, option, same_option
from fsanet_tf.parallel import num_cores, worker_processes

IMAGE_SIDE = 160  # 300W-LP's are 450; a crop of 64 pixels needs no more
MAX_POSE_DEG = np.array([75.0, 45.0, 40.0])
CHUNK = 32  # images that a process is given at once

__all__ = ["SyntheticConfig", "synthesize"]


@configuration
class SyntheticConfig:
    """Options of `synthesize`.

    Example:
        >>> fsanet_tf.SyntheticConfig("heads").count
        2000
    """

    output_dir: str = option(meaning="Folder to fill with .jpg and .mat pairs.")
    count: int = option(2000, "Number of images.", low=1)
    seed: int = option(0, "Random seed; an image does not depend on count.", low=0)
    workers: int = same_option(LandmarkPairsConfig, "workers")


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
    write_image(path, image)
    scipy.io.savemat(path.with_suffix(".mat"), {"Pose_Para": parameters, "pt2d": points.T})


def synthesize(config: SyntheticConfig, progress: bool = False) -> None:
    """Render heads of known pose into a dataset.

    Args:
        config: What to render.
        progress: Whether to show a progress bar.

    Raises:
        InputError: If the folder or a file cannot be written, or a worker dies.
        MissingExtraError: If SciPy, which writes `.mat` files, is not installed.

    Example:
        >>> fsanet_tf.synthesize(fsanet_tf.SyntheticConfig("heads", 4))
        >>> len(list(Path("heads").glob("*.mat")))
        4
    """
    checked("config", SyntheticConfig, config)
    output_dir = writable_folder(config.output_dir)
    with optional_dependencies():
        import scipy.io  # noqa: F401
    write = functools.partial(write_pair, output_dir=output_dir, seed=config.seed)
    numbers = range(1, config.count + 1)
    workers = min(config.workers or num_cores(), -(-config.count // CHUNK))
    try:
        with contextlib.ExitStack() as stack:
            done: Iterable[None] = map(write, numbers)
            if workers > 1:
                done = stack.enter_context(worker_processes(workers)).map(write, numbers, chunksize=CHUNK)
            for _ in tqdm(done, total=config.count, unit="head", disable=not progress):
                pass
    except BrokenExecutor as error:
        raise InputError(
            f"{output_dir}: a worker died, probably for lack of memory; try again with fewer workers"
        ) from error
