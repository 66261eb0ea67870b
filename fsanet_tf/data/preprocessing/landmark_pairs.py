"""300W-LP or AFLW2000, one folder of `.jpg` and `.mat`, as crops and poses."""

import dataclasses
import functools
import math
from pathlib import Path

import numpy as np

from fsanet_tf.batch.parts import Row
from fsanet_tf.data.preprocessing.crops import Plan, crop_row, problem_row
from fsanet_tf.errors import InputError, one_line, optional_dependencies
from fsanet_tf.geometry.crop import IMAGE_SIZE, LANDMARK_CROP, SAMPLINGS, CropRule, crop_face
from fsanet_tf.io.files import printable_name
from fsanet_tf.io.folders import describe_skipped, files_in
from fsanet_tf.io.images import read_image
from fsanet_tf.options import configuration, option

__all__ = ["LandmarkPairsConfig"]

LABELS = ("pt2d", "Pose_Para")
NUMBERS = ("double", "single", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")
MAX_VALUES = 1_000_000  # a damaged header may ask for all memory


@configuration
class LandmarkPairsConfig:
    """300W-LP or AFLW2000, for `preprocess`.

    Example:
        >>> fsanet_tf.LandmarkPairsConfig("AFLW2000", "aflw2000.npz").margin_ratio
        0.6
    """

    input_dir: str = option(meaning="Folder of .jpg and .mat pairs, as it is distributed.")
    output: str = option(meaning="The .npz to write.")
    margin_ratio: float = option(
        LANDMARK_CROP.margin_ratio, "Share of the face box added on each side.", low=0, high=5
    )
    square: bool = option(LANDMARK_CROP.square, "Cut squares instead of stretching the boxes to one.")
    sampling: str = option(
        LANDMARK_CROP.sampling,
        "original: whole pixels, clipped to the image, as the original cuts; filtered: fractions of a pixel, "
        "with averages where the crop shrinks.",
        choices=SAMPLINGS,
    )
    image_size: int = option(IMAGE_SIZE, "Side of the crops in pixels.", low=8, high=1024)
    workers: int = option(0, "Number of processes; 0: one per core; 1: all work is done in this one.", low=0)
    strict: bool = option(False, "Stop at the first source that yields no crop.")

    def plan(self) -> Plan:
        """Find the pairs of the folder.

        Raises:
            InputError: If there is no folder, or no pair in it.
        """
        rule = CropRule(self.margin_ratio, self.square, self.sampling)
        skipped: dict[str, str] = {}
        return Plan(
            items={Path(self.output): find_faces(Path(self.input_dir), skipped)},
            make_worker=functools.partial(PairCropper, rule, self.image_size),
            rule=rule,
            source=self.input_dir,
            files=lambda path: (path, path.with_suffix(".mat")),
            skipped=skipped,
        )


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
        raise InputError(f"not a readable .mat ({one_line(error)})") from error
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
    if np.iscomplexobj(points) or np.iscomplexobj(parameters):
        raise InputError("the .mat contains complex numbers")
    pitch, yaw, roll = parameters.ravel()[:3]
    pose = np.rad2deg(np.array([yaw, pitch, roll], np.float64))
    if not (np.isfinite(pose).all() and np.isfinite(points).all()):
        raise InputError("the .mat contains values that are not finite")
    return points, pose


@dataclasses.dataclass(frozen=True)
class PairCropper:
    """Crops the face of an image around the landmarks in the `.mat` of the same name."""

    rule: CropRule
    image_size: int

    def work(self, path: Path) -> list[Row]:
        """Return the crop of a `.jpg`.

        Raises:
            InputError: If one of the two files is missing or cannot be used.
        """
        labels = path.with_suffix(".mat")
        for file, kind in ((path, "image"), (labels, "labels")):
            if not file.exists():
                raise InputError(f"no {kind} {printable_name(file.name)}")
        image = read_image(path)
        points, pose = read_labels(labels)
        crop = crop_face(image, visible_box(points), self.rule, self.image_size)
        return [crop_row(printable_name(path.stem), crop, pose, self.rule.margin_ratio)]

    def failure(self, path: Path, reason: str) -> Row:
        """Return why an image was left out."""
        return problem_row(printable_name(path.stem), reason)


def find_faces(input_dir: Path, skipped: dict[str, str] | None = None) -> list[Path]:
    """Return the paths of the images, sorted by name, including those that only have labels.

    Args:
        input_dir: The folder.
        skipped: Receives why its other entries are no faces, by name.

    Raises:
        InputError: If there is no such folder, or no pair in it.
    """
    if not input_dir.is_dir():
        raise InputError(f"{input_dir}: no such folder (expected .jpg and .mat pairs)")
    skipped = {} if skipped is None else skipped
    stems = set()
    for path in map(Path, files_in(input_dir, skipped, recursive=False)):
        if path.suffix in (".jpg", ".mat"):
            stems.add(path.stem)
        else:
            skipped[printable_name(path)] = "neither .jpg nor .mat"
    if not stems:
        raise InputError(f"{input_dir}: expected .jpg and .mat pairs, found none{describe_skipped(skipped)}")
    return [input_dir / f"{stem}.jpg" for stem in sorted(stems)]
