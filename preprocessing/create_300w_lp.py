"""300W-LP or AFLW2000, one folder of `.jpg` and `.mat`, into crops and poses.

`python preprocessing/create_300w_lp.py --input_dir=AFLW2000 --output=aflw2000.npz`
"""

import math
from pathlib import Path

import numpy as np
import scipy.io
from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.crop import IMAGE_SIZE, LANDMARK_CROP, CropRule, crop_box, grow_box
from fsanet_tf.errors import InputError
from fsanet_tf.pictures import read_picture
from preprocessing.command import define_flags, report
from preprocessing.parts import Part, Problem, create_dataset

TASK_SIZE = 100
LABELS = ("pt2d", "Pose_Para")
NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
MAX_VALUES = 1_000_000  # a damaged header may ask for all memory


def visible_box(points: np.ndarray) -> tuple[int, int, int, int]:
    """The box around the visible landmarks, as the original takes it.

    Args:
        points: `(2, N)` x and y in pixels; a point that is not visible has entries of 0 or less.

    Returns:
        left, top, right, bottom, whole pixels.

    Raises:
        InputError: no point is visible.
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
    """The landmarks and the pose of one face.

    Args:
        path: a `.mat` of 300W-LP or AFLW2000.

    Returns:
        `pt2d` `(2, N)` in pixels, and yaw, pitch, roll in degrees `(3,)`.

    Raises:
        InputError: the file cannot be read, or lacks a key, or holds another shape.
    """
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
        raise InputError(f"Pose_Para must hold three angles, received {parameters.dtype} {parameters.shape}")
    pitch, yaw, roll = parameters.ravel()[:3]
    pose = np.rad2deg(np.array([yaw, pitch, roll], np.float64))
    if not (np.isfinite(pose).all() and np.isfinite(points).all()):
        raise InputError("the .mat holds values that are not finite")
    return points, pose


def crop_face(image_path: Path, rule: CropRule, image_size: int) -> tuple[np.ndarray, np.ndarray]:
    """One picture and its labels to a crop and its pose.

    Args:
        image_path: the `.jpg`; the `.mat` of the same name stands beside it.
        rule: how to crop about the landmark box.
        image_size: side of the crop.

    Returns:
        uint8 BGR `(image_size, image_size, 3)`, and yaw, pitch, roll in degrees `(3,)`.

    Raises:
        InputError: one of the two files is missing or cannot be used.
    """
    label_path = image_path.with_suffix(".mat")
    for path, other in ((image_path, "picture"), (label_path, "labels")):
        if not path.exists():
            raise InputError(f"no {other} {path.name}")
    image = read_picture(image_path)
    points, pose = read_labels(label_path)
    box = grow_box(visible_box(points), rule, image.shape)
    return crop_box(image, box, image_size), pose


def crop_faces(image_paths: tuple[Path, ...], rule: CropRule, image_size: int) -> Part:
    """`crop_face` for one task; what fails is noted by name."""
    part = Part()
    for path in image_paths:
        try:
            part.add(path.stem, *crop_face(path, rule, image_size))
        except InputError as error:
            part.problems.append(Problem(path.stem, str(error)))
    return part


def find_faces(input_dir: Path) -> list[Path]:
    """Paths of the pictures, sorted by name, also of those that only have labels.

    Raises:
        InputError: no such folder, or nothing in it.
    """
    if not input_dir.is_dir():
        raise InputError(f"{input_dir}: no such folder (expected .jpg and .mat pairs)")
    stems = {path.stem for suffix in ("jpg", "mat") for path in input_dir.glob(f"*.{suffix}")}
    if not stems:
        raise InputError(f"{input_dir}: expected .jpg and .mat pairs, found none")
    return [input_dir / f"{stem}.jpg" for stem in sorted(stems)]


def create_300w_lp(
    input_dir: Path,
    output: Path,
    *,
    rule: CropRule = LANDMARK_CROP,
    image_size: int = IMAGE_SIZE,
    workers: int = 0,
    strict: bool = False,
) -> None:
    """Crop a whole folder into an `.npz`, and say what was left out.

    Args:
        input_dir: folder of `.jpg` and `.mat` pairs.
        output: the `.npz` to write.
        rule: how to crop about the landmark boxes.
        image_size: side of the crops in pixels.
        workers: processes; 0: one a core.
        strict: raise at the first source that gives no crop.

    Raises:
        InputError: no folder, no pair, no crop; or, with `strict`, a bad source.
    """
    paths = find_faces(input_dir)
    tasks = [tuple(paths[i : i + TASK_SIZE]) for i in range(0, len(paths), TASK_SIZE)]
    problems = create_dataset(
        tasks,
        [len(task) for task in tasks],
        crop_faces,
        {"rule": rule, "image_size": image_size},
        {output: range(len(tasks))},
        image_size=image_size,
        crop=rule,
        workers=workers,
        strict=strict,
    )
    report(len(paths), problems, [output])


def main() -> None:
    given = flags.FLAGS
    create_300w_lp(
        Path(given.input_dir),
        Path(given.output),
        rule=CropRule(given.margin_ratio, given.square),
        image_size=given.image_size,
        workers=given.workers,
        strict=given.strict,
    )


if __name__ == "__main__":
    define_flags(LANDMARK_CROP.margin_ratio, IMAGE_SIZE)
    flags.DEFINE_bool("square", False, "Cut squares instead of stretching the boxes to one.")
    run(main)
