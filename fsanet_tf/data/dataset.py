"""The dataset format of the project: crops and poses in one `.npz`, which the original reads too."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import math
import os
import struct
import warnings
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import SAMPLINGS, CropRule
from fsanet_tf.geometry.pose import within_angle
from fsanet_tf.io.files import replace_when_done, require_file

__all__ = ["FaceDataset", "load_dataset", "save_dataset"]

# What a damaged .npz makes NumPy and zipfile raise.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
EXPECTED_DATASET = "an .npz with image (N, S, S, 3) uint8 and pose (N, 3)"
MAX_IMAGE_BYTES = 2**36  # a header that claims more is damaged
MAX_EXPANSION, SMALL_BYTES = 100, 2**28  # of compressed images; small ones may be blank
CHUNK = 1024  # images that are written at once
MARGIN_TOLERANCE = 1e-4  # margins are stored in 32 bits
MAX_BEYOND_QUARTER_TURN = 0.2  # share of a data set's angles, if they are radians
MAX_MEDIAN_DEG = 120.0  # of a data set's angles; degrees that were converted as radians have larger ones
DEGREES = "degrees"  # of the entry `unit`, which says so of angles that could be radians
REAL = "iuf"  # kinds of NumPy's types
ARRAYS = ("poses", "names", "weights", "groups", "margin_ratios")  # labels of each face


@dataclasses.dataclass(frozen=True)
class FaceLabels:
    """What is known of the faces of a dataset besides their images.

    Attributes:
        poses: float32 `(N, 3)`: yaw, pitch, roll in degrees.
        names: `(N,)`: where each crop came from; empty strings in the original's files.
        weights: float32 `(N,)`: how much each face counts in training.
        groups: `(N,)`: faces of one group (a photo, a person, a video) stay together when a validation
            split is made; an empty string is a group of its own.
        margin_ratios: float32 `(N,)`: the margin of each crop; NaN: unknown, as in the original's files.
        square: Whether the boxes were made square before they were cropped.
        sampling: How pixels were sampled, as in `CropRule`.
        labeled_by: The network whose answers the poses are, as `label` writes them; empty: unknown.
    """

    poses: np.ndarray
    names: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    margin_ratios: np.ndarray
    square: bool = False
    sampling: str = "original"
    labeled_by: str = ""

    def __len__(self) -> int:
        return len(self.poses)

    def group_numbers(self) -> np.ndarray:
        """Number the groups, `(N,)`; a face without one is a group of its own."""
        rows = np.char.add("row ", np.arange(len(self)).astype(str))
        named = np.char.add("group ", self.groups.astype(str))
        return np.unique(np.where(self.groups == "", rows, named), return_inverse=True)[1]

    def assuming(self, rule: CropRule) -> FaceLabels:
        """Return the labels with a crop rule in place of what is unknown."""
        unknown = np.isnan(self.margin_ratios)
        if not unknown.any():
            return self
        margins = np.where(unknown, np.float32(rule.margin_ratio), self.margin_ratios)
        own = (self.square, self.sampling) if not unknown.all() else (rule.square, rule.sampling)
        return dataclasses.replace(self, margin_ratios=margins, square=own[0], sampling=own[1])

    def views(self, margin_ratio: float) -> np.ndarray | None:
        """Return what share of each crop's side a crop with another margin covers, `(N,)` float32.

        None if no crop needs to be cut further.

        Raises:
            InputError: If a margin is unknown, or smaller than `margin_ratio`.
        """
        if np.isnan(self.margin_ratios).any():
            raise InputError(f"margin_ratio {margin_ratio:g}: the margins of the crops are unknown")
        smallest = float(self.margin_ratios.min())
        if margin_ratio > smallest + MARGIN_TOLERANCE:
            raise InputError(
                f"margin_ratio {margin_ratio:g}: there are crops with a margin of {smallest:g}, "
                "which do not show that much"
            )
        views = (1 + 2 * margin_ratio) / (1 + 2 * self.margin_ratios)
        return None if np.allclose(views, 1) else views.astype(np.float32)

    @property
    def crop(self) -> CropRule | None:
        """How the crops were cut; None if that is unknown, or their margins differ."""
        margins = self.margin_ratios
        if np.isnan(margins).any() or not np.allclose(margins, margins[0], atol=MARGIN_TOLERANCE):
            return None
        return CropRule(round(float(margins[0]), 6), self.square, self.sampling)


@dataclasses.dataclass(frozen=True)
class FaceDataset:
    """Face crops and their labels.

    Attributes:
        images: uint8 BGR `(N, size, size, 3)`, in [0, 255]. Those of `load_dataset` stay in their files, from
            which indexing reads them.
        labels: Poses, names, weights, groups and margins.

    Example:
        >>> images, poses = np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 3))
        >>> dataset = fsanet_tf.FaceDataset.from_arrays(images, poses, crop=fsanet_tf.CropRule(0.6))
        >>> len(dataset), dataset.crop.margin_ratio
        (2, 0.6)
    """

    images: np.ndarray
    labels: FaceLabels

    @classmethod
    def from_arrays(
        cls,
        images: np.ndarray,
        poses: np.ndarray,
        names: np.ndarray | None = None,
        crop: CropRule | None = None,
        weights: np.ndarray | None = None,
        groups: np.ndarray | None = None,
    ) -> FaceDataset:
        """Build a dataset; omitted labels get neutral values.

        Args:
            images: uint8 BGR `(N, size, size, 3)`.
            poses: `(N, 3)`: yaw, pitch, roll in degrees.
            names, weights, groups: As in `FaceLabels`, or None.
            crop: How the crops were cut; None: unknown.

        Raises:
            InputError: If an array has another type or shape.
        """
        count = len(images)
        _require_images("images", images)
        poses = np.asarray(poses)
        shapes = {"poses": (count, 3), "names": (count,), "weights": (count,), "groups": (count,)}
        given = {"poses": poses, "names": names, "weights": weights, "groups": groups}
        for name, values in given.items():
            if values is not None and np.shape(values) != shapes[name]:
                raise InputError(f"{name}: expected an array {shapes[name]}, received {np.shape(values)}")
        if poses.dtype.kind not in REAL:
            raise InputError(f"poses: expected numbers, received {poses.dtype}")
        return cls(
            images,
            FaceLabels(
                poses.astype(np.float32),
                np.full(count, "") if names is None else np.asarray(names),
                np.ones(count, np.float32) if weights is None else np.asarray(weights, np.float32),
                np.full(count, "") if groups is None else np.asarray(groups),
                np.full(count, math.nan if crop is None else crop.margin_ratio, np.float32),
                crop is not None and crop.square,
                "original" if crop is None else crop.sampling,
            ),
        )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def poses(self) -> np.ndarray:
        """float32 `(N, 3)`: yaw, pitch, roll in degrees."""
        return self.labels.poses

    @property
    def names(self) -> np.ndarray:
        """`(N,)`: where each crop came from."""
        return self.labels.names

    @property
    def crop(self) -> CropRule | None:
        """How the crops were cut; None if that is unknown, or their margins differ."""
        return self.labels.crop

    @property
    def image_size(self) -> int:
        """Side of the crops in pixels."""
        return self.images.shape[1]

    def select(self, rows: np.ndarray) -> FaceDataset:
        """Return some faces, by their indices."""
        arrays = {name: getattr(self.labels, name)[rows] for name in ARRAYS}
        return FaceDataset(self.images[rows], dataclasses.replace(self.labels, **arrays))

    def rows_within(self, max_angle_deg: float) -> np.ndarray:
        """Return the indices of the faces whose angles lie within ±`max_angle_deg`; 0: of all."""
        if not max_angle_deg:
            return np.arange(len(self))
        return np.flatnonzero(within_angle(self.poses, max_angle_deg))


def save_dataset(path: str | Path, dataset: FaceDataset) -> None:
    """Write a dataset to an `.npz`: the original's `image`, `pose`, `img_size`, and further labels.

    Args:
        path: The file.
        dataset: The dataset.

    Raises:
        InputError: If the file cannot be written.

    Example:
        >>> dataset = fsanet_tf.FaceDataset.from_arrays(np.zeros((2, 64, 64, 3), np.uint8), np.zeros((2, 3)))
        >>> fsanet_tf.save_dataset("two.npz", dataset)
    """
    starts = range(0, len(dataset), CHUNK)
    parts = (dataset.images[start : start + CHUNK] for start in starts)
    write_dataset(path, parts, dataset.labels, dataset.image_size)


def _require_images(name: str | Path, images: np.ndarray) -> None:
    shape = images.shape
    if images.dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3:
        raise InputError(f"{name}: expected uint8 images (N, S, S, 3), received {images.dtype} {shape}")


def write_dataset(
    path: str | Path,
    images: Iterable[np.ndarray],
    labels: FaceLabels,
    image_size: int,
    are_degrees: bool = False,
) -> None:
    """Write a dataset whose images come in parts, so that they need not fit in memory.

    Args:
        path: The `.npz` to write.
        images: Parts of uint8 BGR images `(n, image_size, image_size, 3)`, as many as labels in all.
        labels: The labels of all faces.
        image_size: Side of the crops in pixels.
        are_degrees: Whether to note that the angles are no radians, however small they are.

    Raises:
        InputError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "pose": labels.poses.astype(np.float64),
        "img_size": image_size,
        "name": labels.names,
    }
    if not np.isnan(labels.margin_ratios).all():
        margins = labels.margin_ratios if labels.crop is None else labels.crop.margin_ratio
        arrays |= {"margin_ratio": margins, "square": labels.square, "sampling": labels.sampling}
    if (labels.weights != 1).any():
        arrays["weight"] = labels.weights
    if (labels.groups != "").any():
        arrays["group"] = labels.groups
    if labels.labeled_by:
        arrays["labeled_by"] = labels.labeled_by
    if are_degrees:
        arrays["unit"] = DEGREES
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels), image_size, image_size, 3)}
    with replace_when_done(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("image.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for part in images:
                _require_images(path, part)
                stream.write(np.ascontiguousarray(part).tobytes())
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
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    parts = [_load(Path(path)) for path in paths]
    return parts[0] if len(parts) == 1 else _joined(paths, parts)


def check_poses(name: str | Path, poses: np.ndarray, are_degrees: bool = False) -> None:
    """Refuse poses that cannot be head poses in degrees.

    Single angles beyond ±180° are allowed, as AFLW2000 contains them: `rows_within` leaves such faces out.
    Angles within ±π that are not whole numbers may be radians: of heads in radians few angles exceed a
    quarter turn, π/2, of heads in degrees that all look ahead about half do. These are accepted with a
    warning.

    Args:
        name: Where the poses come from, for the message.
        poses: `(N, 3)`: yaw, pitch, roll in degrees.
        are_degrees: Whether it is known that they are no radians.

    Raises:
        InputError: If a pose is not finite, the angles appear to be radians, or most exceed ±120°.

    Example:
        >>> check_poses("faces.npz", np.array([[30.0, -10.0, 5.0]]))
    """
    finite = np.isfinite(poses).all(axis=1)
    if not finite.all():
        row = int(np.flatnonzero(~finite)[0])
        raise InputError(f"{name}: pose {row} is not finite: {poses[row].tolist()}")
    sizes = np.abs(poses)
    if sizes.size and sizes.max() <= math.pi + 1e-3 and (poses != np.round(poses)).any() and not are_degrees:
        if (sizes > math.pi / 2).mean() <= MAX_BEYOND_QUARTER_TURN:
            raise InputError(
                f"{name}: expected degrees, received angles within ±{sizes.max():.2f}; are these radians? "
                "(if all look ahead, degrees of a table's preprocessing or an entry unit='degrees' says so)"
            )
        warnings.warn(f"{name}: all angles are within ±{sizes.max():.2f}, taken as degrees", stacklevel=2)
    if sizes.size and np.median(sizes) > MAX_MEDIAN_DEG:
        raise InputError(
            f"{name}: expected head poses in degrees, received angles that mostly exceed ±{MAX_MEDIAN_DEG:g} "
            f"(median {np.median(sizes):.0f}); were degrees converted as radians?"
        )


def check_weights(name: str | Path, weights: np.ndarray) -> None:
    """Refuse weights by which no face would count in training.

    Args:
        name: Where the weights come from, for the message.
        weights: `(N,)`, of 0 or more.

    Raises:
        InputError: If all are 0.

    Example:
        >>> check_weights("faces.npz", np.array([0.0, 1.0]))
    """
    if not weights.any():
        raise InputError(f"{name}: all weights are 0, so that no face would count")


def hash_dataset(path: str | Path) -> str:
    """Return the SHA-256 of what a dataset contains, however the file is compressed.

    Raises:
        InputError: If the file cannot be read.
    """
    status = os.stat(require_file(path, EXPECTED_DATASET))
    return _hash_content(Path(path).resolve(), status.st_size, status.st_mtime_ns)


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
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
    return digest.hexdigest()


class _JoinedImages:
    """Images of several files as one array `(N, S, S, 3)`, of which indexing reads what it needs."""

    def __init__(self, parts: Sequence[np.ndarray]):
        self.parts = parts
        self.starts = np.cumsum([0, *map(len, parts)])
        self.shape = (int(self.starts[-1]), *parts[0].shape[1:])
        self.dtype, self.ndim = parts[0].dtype, parts[0].ndim

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = np.arange(len(self))[index]
        part_of = np.searchsorted(self.starts, rows, side="right") - 1
        images = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for number, (part, start) in enumerate(zip(self.parts, self.starts[:-1], strict=True)):
            chosen = part_of == number
            images[chosen] = part[rows[chosen] - start]
        return images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.concatenate(self.parts).astype(dtype or self.dtype, copy=False)


def _joined(paths: Sequence[str | Path], parts: Sequence[FaceDataset]) -> FaceDataset:
    files = ", ".join(map(str, paths))
    sizes = sorted({part.image_size for part in parts})
    if len(sizes) != 1:
        raise InputError(f"{files}: image sizes differ: {sizes}")
    labels = [part.labels for part in parts]
    known = [part for part in labels if not np.isnan(part.margin_ratios).all()]
    rules = {(part.square, part.sampling): None for part in known} or {(False, "original"): None}
    if len(rules) > 1:
        kinds = " and ".join(
            f"{'square' if square else 'stretched'} {sampling}" for square, sampling in rules
        )
        raise InputError(f"{files}: expected crops of one rule, received {kinds} ones")
    ((square, sampling),) = rules
    arrays = {name: np.concatenate([getattr(part, name) for part in labels]) for name in ARRAYS}
    images = cast(np.ndarray, _JoinedImages([part.images for part in parts]))
    labeled_by = ", ".join(dict.fromkeys(part.labeled_by for part in labels if part.labeled_by))
    return FaceDataset(images, FaceLabels(**arrays, square=square, sampling=sampling, labeled_by=labeled_by))


def _load(path: Path) -> FaceDataset:
    require_file(path, EXPECTED_DATASET)
    if not zipfile.is_zipfile(path):  # NumPy's message would be about pickles
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, received no zip archive, or a truncated one")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            missing = {"image", "pose"} - set(names)
            if missing:
                raise InputError(
                    f"{path}: expected {EXPECTED_DATASET}, {' and '.join(sorted(missing))} missing"
                )
            images = _map_images(path, archive)
        with np.load(path, allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in names if name != "image"}
    except InputError:
        raise
    except (*UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
    return FaceDataset(images, _labels(path, found, len(images)))


def _map_images(path: Path, archive: zipfile.ZipFile) -> np.ndarray:
    """Return the images as a view of the file; of a compressed file, or one in another order, in memory."""
    entry = archive.getinfo("image.npy")
    with archive.open(entry) as stream:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0
        if version != (1, 0):
            read = np.lib.format.read_array_header_2_0
        shape, fortran_order, dtype = read(stream)
        header_size = stream.tell()
        if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or dtype != np.uint8 or 0 in shape:
            raise InputError(f"{path}: image must be uint8 (N, S, S, 3), received {dtype} {tuple(shape)}")
        claimed = int(np.prod(shape, dtype=object))
        if not claimed <= min(entry.file_size, MAX_IMAGE_BYTES):
            raise InputError(f"{path}: image claims {claimed} bytes, the file contains {entry.file_size}")
        if entry.file_size > max(MAX_EXPANSION * entry.compress_size, SMALL_BYTES):
            raise InputError(
                f"{path}: image expands from {entry.compress_size} to {entry.file_size} bytes, which photos "
                "do not"
            )
        if fortran_order or entry.compress_type != zipfile.ZIP_STORED:
            images = np.frombuffer(stream.read(claimed), np.uint8)
            return np.ascontiguousarray(images.reshape(shape, order="F" if fortran_order else "C"))
    with path.open("rb") as file:  # the local header's extra field may differ from the directory's
        file.seek(entry.header_offset + 26)
        name_length, extra_length = struct.unpack("<HH", file.read(4))
    offset = entry.header_offset + 30 + name_length + extra_length + header_size
    return np.asarray(np.memmap(path, np.uint8, "c", offset, shape))  # changes stay in memory


def _labels(path: Path, found: dict[str, np.ndarray], count: int) -> FaceLabels:
    poses = found["pose"]
    if poses.shape != (count, 3) or poses.dtype.kind not in REAL:
        raise InputError(f"{path}: pose must be ({count}, 3) numbers, received {poses.dtype} {poses.shape}")
    with np.errstate(over="ignore"):
        poses = poses.astype(np.float32)
    unit = str(found.get("unit", ""))
    if unit not in ("", DEGREES):
        raise InputError(f"{path}: unit must be {DEGREES}, received {unit}")
    check_poses(path, poses, are_degrees=unit == DEGREES)
    for key in ("name", "group"):
        if key in found and found[key].shape != (count,):
            raise InputError(f"{path}: {key} must have {count} entries, received {found[key].shape}")
    square = found.get("square", np.array(False))
    if square.shape or square.dtype != bool:
        raise InputError(f"{path}: square must be true or false, received {square.dtype} {square.shape}")
    weights = _numbers(path, "weight", found, count) if "weight" in found else np.ones(count, np.float32)
    check_weights(path, weights)
    margins = np.full(count, math.nan, np.float32)
    if "margin_ratio" in found:
        margins = _numbers(path, "margin_ratio", found, count, unknown=True)
    sampling = str(found.get("sampling", SAMPLINGS[0]))
    if sampling not in SAMPLINGS:
        raise InputError(f"{path}: sampling must be {' or '.join(SAMPLINGS)}, received {sampling}")
    return FaceLabels(
        poses,
        _texts(found.get("name", np.full(count, ""))),
        np.broadcast_to(weights, (count,)),
        _texts(found.get("group", np.full(count, ""))),
        np.broadcast_to(margins, (count,)),
        bool(square),
        sampling,
        str(found.get("labeled_by", "")),
    )


def _texts(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "S":
        return np.char.decode(values, "utf-8", "backslashreplace")
    return values.astype(str)


def _numbers(
    path: Path, key: str, found: dict[str, np.ndarray], count: int, unknown: bool = False
) -> np.ndarray:
    """One number, or one per face, finite (or NaN, if `unknown` is allowed) and not negative."""
    values = found[key]
    if values.shape not in ((), (count,)) or values.dtype.kind not in REAL:
        raise InputError(f"{path}: {key} must be {count} numbers, received {values.dtype} {values.shape}")
    values = values.astype(np.float32)
    wrong = values[~(((values >= 0) & np.isfinite(values)) | (unknown & np.isnan(values)))]
    if wrong.size:
        raise InputError(f"{path}: {key} must be 0 or more and finite, received {wrong.flat[0]}")
    return values
