"""The dataset format of the project: crops and poses in one `.npz`, which the original reads too."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import os
import reprlib
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fsanet_tf.data.face_arrays import DEGREES, checked_arrays
from fsanet_tf.data.npz_file import EXPECTED, UNREADABLE, JoinedImages, read_npz, require_images
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import SAMPLINGS, CropRule
from fsanet_tf.geometry.pose import within_angle
from fsanet_tf.io.files import replace_when_done, require_file
from fsanet_tf.options import checked

__all__ = ["FaceDataset", "load_dataset", "save_dataset"]

CHUNK = 1024  # images that are written at once
MARGIN_TOLERANCE = 1e-4  # margins are stored in 32 bits
LABEL_ARRAYS = ("poses", "names", "weights", "groups", "margin_ratios")  # a row per face


@dataclasses.dataclass(frozen=True)
class FaceDataset:
    """Face crops and their labels; `from_arrays` checks them.

    Attributes:
        images: uint8 BGR `(N, size, size, 3)`, in [0, 255]. Those of `load_dataset` stay in their files, from
            which indexing reads them.
        poses: float32 `(N, 3)`: yaw, pitch, roll in degrees.
        names: `(N,)`: where each crop came from; empty strings in the original's files.
        weights: float32 `(N,)`: how much each face counts in training.
        groups: `(N,)`: faces of one group (a photo, a person, a video) stay together when a validation
            split is made; an empty string is a group of its own.
        margin_ratios: float32 `(N,)`: the margin of each crop; NaN: unknown, as in the original's files.
        square: Whether the boxes were made square before they were cropped.
        sampling: How pixels were sampled, as in `CropRule`.
        labeled_by: The network whose answers the poses are, as `label` writes them; empty: unknown.
        are_degrees: Whether it is known that the poses are no radians, however small they are.

    Example:
        >>> images, poses = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 3))
        >>> dataset = fsanet_tf.FaceDataset.from_arrays(images, poses, crop=fsanet_tf.CropRule(0.6))
        >>> len(dataset), dataset.crop.margin_ratio
        (2, 0.6)
    """

    images: np.ndarray
    poses: np.ndarray
    names: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    margin_ratios: np.ndarray
    square: bool = False
    sampling: str = SAMPLINGS[0]
    labeled_by: str = ""
    are_degrees: bool = False

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        poses: np.ndarray,
        names: np.ndarray | None = None,
        crop: CropRule | None = None,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
        are_degrees: bool = False,
    ) -> FaceDataset:
        """Build a dataset; omitted labels get neutral values.

        Args:
            images: uint8 BGR `(N, size, size, 3)`.
            poses: `(N, 3)`: yaw, pitch, roll in degrees.
            names, weights, groups: As above, or None.
            crop: How the crops were cut; None: unknown.
            are_degrees: Accept angles that are so small that they could be radians.

        Raises:
            InputError: If an array has another type or shape, or contains what cannot be true.
        """
        given = {"image": images, "pose": poses, "name": names, "weight": weights, "group": groups}
        rule = {} if crop is None else vars(checked("crop", CropRule, crop))
        unit = {"unit": DEGREES} if are_degrees else {}
        return make_dataset("FaceDataset", {**given, **rule, **unit})

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def crop(self) -> CropRule | None:
        """The rule by which the crops were cut; None if it is unknown, or their margins differ."""
        margins = self.margin_ratios
        if np.isnan(margins).any() or not np.allclose(margins, margins[0], atol=MARGIN_TOLERANCE):
            return None
        return CropRule(round(float(margins[0]), 6), self.square, self.sampling)

    @property
    def image_size(self) -> int:
        """Side of the crops in pixels."""
        return self.images.shape[1]

    def select(self, rows: np.ndarray) -> FaceDataset:
        """Return some faces, by their indices.

        Raises:
            InputError: If there is no such face.
        """
        try:
            arrays = {name: getattr(self, name)[rows] for name in (*LABEL_ARRAYS, "images")}
        except (IndexError, TypeError) as error:
            raise InputError(f"rows: expected indices of {len(self)} faces ({error})") from error
        return dataclasses.replace(self, **arrays)

    def rows_within(self, max_angle_deg: float) -> np.ndarray:
        """Return the indices of the faces whose angles lie within ±`max_angle_deg`; 0: of all."""
        checked("max_angle_deg", float, max_angle_deg, low=0)
        if not max_angle_deg:
            return np.arange(len(self))
        return np.flatnonzero(within_angle(self.poses, max_angle_deg))

    def group_numbers(self) -> np.ndarray:
        """Number the groups, `(N,)`; a face without one is a group of its own."""
        rows = np.char.add("row ", np.arange(len(self)).astype(str))
        named = np.char.add("group ", self.groups.astype(str))
        return np.unique(np.where(self.groups == "", rows, named), return_inverse=True)[1]

    def assuming(self, rule: CropRule) -> FaceDataset:
        """Return the dataset with a crop rule in place of what is unknown."""
        checked("rule", CropRule, rule)
        unknown = np.isnan(self.margin_ratios)
        if not unknown.any():
            return self
        margins = np.where(unknown, np.float32(rule.margin_ratio), self.margin_ratios)
        own = (self.square, self.sampling) if not unknown.all() else (rule.square, rule.sampling)
        return dataclasses.replace(self, margin_ratios=margins, square=own[0], sampling=own[1])

    def views(self, margin_ratio: float | None) -> np.ndarray:
        """Return what share of each crop's side a crop with another margin covers, `(N,)` float32.

        All are 1 if the margins are equal, or `margin_ratio` is None: the crops' own.

        Raises:
            InputError: If a margin is unknown, or smaller than `margin_ratio`.
        """
        if margin_ratio is None:
            return np.ones(len(self), np.float32)
        checked("margin_ratio", float, margin_ratio, low=0)
        if np.isnan(self.margin_ratios).any():
            raise InputError(f"margin_ratio {margin_ratio:g}: the margins of the crops are unknown")
        smallest = float(self.margin_ratios.min())
        if margin_ratio > smallest + MARGIN_TOLERANCE:
            raise InputError(
                f"margin_ratio {margin_ratio:g}: there are crops with a margin of {smallest:g}, "
                "which do not show that much"
            )
        views = (1 + 2 * margin_ratio) / (1 + 2 * self.margin_ratios)
        return (np.ones_like(views) if np.allclose(views, 1) else views).astype(np.float32)


def make_dataset(name: str | Path, arrays: Mapping[str, Any]) -> FaceDataset:
    """Build a dataset from arrays that are named as in its file; see `checked_arrays`."""
    return FaceDataset(**checked_arrays(name, arrays))


def save_dataset(path: str | Path, dataset: FaceDataset) -> None:
    """Write a dataset to an `.npz`: the original's `image`, `pose`, `img_size`, and further labels.

    Images are read and written in parts, so that they need not fit in memory.

    Args:
        path: The file.
        dataset: The dataset.

    Raises:
        InputError: If it is no dataset, or the file cannot be written.

    Example:
        >>> dataset = fsanet_tf.FaceDataset.from_arrays(np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 3)))
        >>> fsanet_tf.save_dataset("two.npz", dataset)
    """
    path = checked("path", str, path)
    if not isinstance(dataset, FaceDataset):
        raise InputError(f"{path}: expected a FaceDataset to write, received {type(dataset).__name__}")
    images = dataset.images
    require_images(path, images.dtype, images.shape)
    arrays: dict[str, Any] = {
        "pose": dataset.poses.astype(np.float64),
        "img_size": dataset.image_size,
        "name": dataset.names,
    }
    if not np.isnan(dataset.margin_ratios).all():
        margins = dataset.margin_ratios if dataset.crop is None else dataset.crop.margin_ratio
        arrays |= {"margin_ratio": margins, "square": dataset.square, "sampling": dataset.sampling}
    if (dataset.weights != 1).any():
        arrays["weight"] = dataset.weights
    if (dataset.groups != "").any():
        arrays["group"] = dataset.groups
    if dataset.labeled_by:
        arrays["labeled_by"] = dataset.labeled_by
    if dataset.are_degrees:
        arrays["unit"] = DEGREES
    header = {"descr": "|u1", "fortran_order": False, "shape": images.shape}
    with replace_when_done(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("image.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for start in range(0, len(images), CHUNK):
                stream.write(np.ascontiguousarray(images[start : start + CHUNK]).tobytes())
        for key, value in arrays.items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)


def load_dataset(paths: str | Path | Sequence[str | Path]) -> FaceDataset:
    """Read one or several `.npz` files, of this package or of the original, as one dataset.

    Images stay in their files until they are indexed, so that a dataset may be larger than memory; those of
    compressed files are read at once.

    Args:
        paths: One path or several.

    Raises:
        InputError: If a file is missing or not an `.npz`, lacks a key, has a wrong shape or type or labels
            that cannot be true (see `check_poses`), or the files' image sizes or crop rules differ.

    Example:
        >>> len(fsanet_tf.load_dataset("faces.npz"))
        24
    """
    several = [paths] if isinstance(paths, str | Path) else paths
    are_paths = isinstance(several, list | tuple) and all(isinstance(path, str | Path) for path in several)
    if not are_paths or not several:
        raise InputError(f"paths: expected one .npz file or several, received {reprlib.repr(paths)}")
    parts = [make_dataset(path, read_npz(path)) for path in several]
    return parts[0] if len(parts) == 1 else _joined(several, parts)


def _joined(paths: Sequence[str | Path], parts: Sequence[FaceDataset]) -> FaceDataset:
    files = ", ".join(map(str, paths))
    sizes = sorted({part.image_size for part in parts})
    if len(sizes) != 1:
        raise InputError(f"{files}: image sizes differ: {sizes}")
    known = [part for part in parts if not np.isnan(part.margin_ratios).all()]
    rules = {(part.square, part.sampling): None for part in known} or {(False, SAMPLINGS[0]): None}
    if len(rules) > 1:
        kinds = " and ".join(
            f"{'square' if square else 'stretched'} {sampling}" for square, sampling in rules
        )
        raise InputError(f"{files}: expected crops of one rule, received {kinds} ones")
    ((square, sampling),) = rules
    images = cast(np.ndarray, JoinedImages([part.images for part in parts]))
    labels = {name: np.concatenate([getattr(part, name) for part in parts]) for name in LABEL_ARRAYS}
    labeled_by = ", ".join(dict.fromkeys(part.labeled_by for part in parts if part.labeled_by))
    are_degrees = any(part.are_degrees for part in parts)
    return FaceDataset(
        images, **labels, square=square, sampling=sampling, labeled_by=labeled_by, are_degrees=are_degrees
    )


def hash_dataset(path: str | Path) -> str:
    """Return the SHA-256 of what a dataset contains, however the file is compressed.

    Raises:
        InputError: If the file cannot be read.
    """
    status = os.stat(require_file(path, EXPECTED))
    return _hash_content(Path(path).resolve(), status.st_size, status.st_mtime_ns)


def hashed_files(paths: Sequence[str | Path]) -> list[dict[str, str]]:
    """Return what a card says of the files that a network was trained on: name and hash of each."""
    return [{"file": Path(path).name, "sha256": hash_dataset(path)} for path in paths]


@functools.lru_cache(maxsize=64)
def _hash_content(path: Path, size: int, time_ns: int) -> str:
    digest = hashlib.sha256()
    try:
        with zipfile.ZipFile(path) as archive:
            for name in sorted(archive.namelist()):
                digest.update(name.encode())
                with archive.open(name) as stream:
                    while chunk := stream.read(1 << 20):
                        digest.update(chunk)
    except UNREADABLE as error:
        raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error
    return digest.hexdigest()
