"""300W-LP or AFLW2000, one folder of `.jpg` and `.mat`, as crops and poses."""

import math
from pathlib import Path

import numpy as np

from fsanet_tf.data.preprocessing.parts import Part, PreprocessingReport, Problem, create_dataset, in_tasks
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.geometry.crop import IMAGE_SIZE, LANDMARK_CROP, CropRule, crop_box, grow_box
from fsanet_tf.io.images import read_image

__all__ = ["create_300w_lp"]

IMAGES_PER_TASK = 100
LABELS = ("pt2d", "Pose_Para")
NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
MAX_VALUES = 1_000_000  # a damaged header may ask for all memory


def visible_box(points: np.ndarray) -> tuple[int, int, int, int]:
    """Compute the box around the visible landmarks, as the original does.

    Args:
        points: `(2, N)`: x and y in pixels; a point that is not visible has entries of 0 or less.

    Returns:
        left, top, right, bottom as whole pixels.

    Raises:
        InputError: If no point is visible.
    """
    x, y = points
    visible = x > 0
    if np.count_nonzero(y > 0) < np.count_nonzero(visible):
        visible = y > 0
    if not visible.any():
        raise InputError("no visible landmark in pt2d")
    x, y = x[visible], y[visible]
    return int(x.min()), int(y.min()), int(x.max()), int(y.max())


def read_labels(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read the landmarks and the pose of one face.

    Args:
        path: A `.mat` of 300W-LP or AFLW2000.

    Returns:
        `pt2d` `(2, N)` in pixels, and yaw, pitch, roll in degrees `(3,)`.

    Raises:
        InputError: If the file cannot be read, lacks a key, or contains another shape.
    """
    with optional_dependencies():
        import scipy.io

    try:
        for key, shape, kind in scipy.io.whosmat(path):
            if key in LABELS and (kind not in NUMBERS or math.prod(shape) > MAX_VALUES):
                raise InputError(f"{key} must be numbers, received {kind} {shape}")
        labels = scipy.io.loadmat(path, variable_names=LABELS)
    except InputError:
        raise
    except Exception as error:  # SciPy raises whatever damaged bytes lead it to
        raise InputError(f"not a readable .mat ({' '.join(str(error).split())})") from error
    for key in LABELS:
        if key not in labels:
            raise InputError(f"the .mat lacks {key}")
    points, parameters = labels["pt2d"], labels["Pose_Para"]
    if points.ndim != 2 or points.shape[0] != 2 or not np.issubdtype(points.dtype, np.number):
        raise InputError(f"pt2d must be (2, N) numbers, received {points.dtype} {points.shape}")
    if parameters.size < 3 or not np.issubdtype(parameters.dtype, np.number):
        raise InputError(
            f"Pose_Para must contain three angles, received {parameters.dtype} {parameters.shape}"
        )
    pitch, yaw, roll = parameters.ravel()[:3]
    pose = np.rad2deg(np.array([yaw, pitch, roll], np.float64))
    if not (np.isfinite(pose).all() and np.isfinite(points).all()):
        raise InputError("the .mat contains values that are not finite")
    return points, pose


def crop_face(image_path: Path, rule: CropRule, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """Crop one image and read its pose.

    Args:
        image_path: The `.jpg`; the `.mat` of the same name is next to it.
        rule: How to crop around the landmark box.
        image_size: Side of the crop in pixels.

    Returns:
        uint8 BGR `(image_size, image_size, 3)`, and yaw, pitch, roll in degrees `(3,)`.

    Raises:
        InputError: If one of the two files is missing or cannot be used.
    """
    label_path = image_path.with_suffix(".mat")
    for path, other in ((image_path, "image"), (label_path, "labels")):
        if not path.exists():
            raise InputError(f"no {other} {path.name}")
    image = read_image(image_path)
    points, pose = read_labels(label_path)
    box = grow_box(visible_box(points), rule, image.shape)
    return crop_box(image, box, image_size), pose


def crop_faces(image_paths: tuple[Path, ...], rule: CropRule, image_size: int) -> Part:
    """Crop the faces of one task; failures are noted by name."""
    part = Part()
    for path in image_paths:
        try:
            part.add(path.stem, *crop_face(path, rule, image_size), rule.margin_ratio)
        except InputError as error:
            part.problems.append(Problem(path.stem, str(error)))
    return part


def find_faces(input_dir: Path) -> list[Path]:
    """Return the paths of the images, sorted by name, including those that only have labels.

    Raises:
        InputError: If there is no such folder, or no pair in it.
    """
    if not input_dir.is_dir():
        raise InputError(f"{input_dir}: no such folder (expected .jpg and .mat pairs)")
    stems = {path.stem for suffix in ("jpg", "mat") for path in input_dir.glob(f"*.{suffix}")}
    if not stems:
        raise InputError(f"{input_dir}: expected .jpg and .mat pairs, found none")
    return [input_dir / f"{stem}.jpg" for stem in sorted(stems)]


def create_300w_lp(
    input_dir: str | Path,
    output: str | Path,
    *,
    rule: CropRule = LANDMARK_CROP,
    image_size: int = IMAGE_SIZE,
    workers: int = 0,
    strict: bool = False,
) -> PreprocessingReport:
    """Crop a folder of 300W-LP or AFLW2000 into an `.npz`.

    Args:
        input_dir: Folder of `.jpg` and `.mat` pairs.
        output: The `.npz` to write.
        rule: How to crop around the landmark boxes.
        image_size: Side of the crops in pixels.
        workers: Number of processes; 0: one per core.
        strict: Raise at the first source that yields no crop.

    Returns:
        The number of sources, the problems, and the file.

    Raises:
        InputError: If there is no folder, no pair or no crop; or, with `strict`, an invalid source.

    Example:
        >>> fsanet_tf.create_synthetic("heads", 4)
        >>> print(fsanet_tf.create_300w_lp("heads", "heads.npz", workers=1))
        heads.npz: 4 crops of 4 sources, 0 left out
    """
    paths = find_faces(Path(input_dir))
    tasks = in_tasks(paths, IMAGES_PER_TASK)
    return create_dataset(
        tasks,
        [len(task) for task in tasks],
        crop_faces,
        {"rule": rule, "image_size": image_size},
        {Path(output): range(len(tasks))},
        image_size=image_size,
        square=rule.square,
        workers=workers,
        strict=strict,
    )
