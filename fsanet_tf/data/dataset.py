"""The dataset format of the project: crops and poses in one `.npz`, which the original reads too."""

from __future__ import annotations

import contextlib
import dataclasses
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import CropRule
from fsanet_tf.geometry.pose import within_angle
from fsanet_tf.io.files import replace_when_done, require_file

__all__ = ["FaceDataset", "load_dataset", "save_dataset"]

# What a damaged .npz makes NumPy and zipfile raise.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
EXPECTED_DATASET = "an .npz with image (N, S, S, 3) uint8 and pose (N, 3)"
MAX_IMAGE_BYTES = 2**36  # a header that claims more is damaged
MAX_EXPANSION, SMALL_BYTES = 100, 2**28  # of compressed images; small ones may be blank


@dataclasses.dataclass(frozen=True)
class FaceLabels:
    """What is known of the faces of a dataset besides their images.

    Attributes:
        poses: float32 `(N, 3)`: yaw, pitch, roll in degrees.
        names: `(N,)`: where each crop came from; empty strings in the original's files.
        weights: float32 `(N,)`: how much each face counts in training.
        groups: `(N,)`: faces of one group (a photo, a person, a video) stay together when a validation
            split is made; an empty string is a group of its own.
        margin_ratios: float32 `(N,)`: the margin of each crop; None in the original's files.
        square: Whether the boxes were made square before they were cropped.
    """

    poses: np.ndarray
    names: np.ndarray
    weights: np.ndarray
    groups: np.ndarray
    margin_ratios: np.ndarray | None = None
    square: bool = False

    def __len__(self) -> int:
        return len(self.poses)

    def group_numbers(self) -> np.ndarray:
        """Number the groups, `(N,)`; a face without one is a group of its own."""
        rows = np.char.add("row ", np.arange(len(self)).astype(str))
        named = np.char.add("group ", self.groups.astype(str))
        return np.unique(np.where(self.groups == "", rows, named), return_inverse=True)[1]

    def views(self, margin_ratio: float | None) -> np.ndarray | None:
        """Return what share of each crop's side a crop with another margin would cover, `(N,)` float32.

        None if no crop needs to be cut further.

        Raises:
            InputError: If `margin_ratio` is None and the margins differ, or it is given and they are unknown.
        """
        if margin_ratio is None:
            if self.margin_ratios is not None and self.crop is None:
                raise InputError("the crops have different margins: expected --margin_ratio, a common one")
            return None
        if self.margin_ratios is None:
            raise InputError(f"margin_ratio {margin_ratio}: the margins of the crops are unknown")
        views = (1 + 2 * margin_ratio) / (1 + 2 * self.margin_ratios)
        return None if np.allclose(views, 1) else views.astype(np.float32)

    @property
    def crop(self) -> CropRule | None:
        """How the crops were cut; None if that is unknown, or their margins differ."""
        if self.margin_ratios is None or len(set(self.margin_ratios.tolist())) != 1:
            return None
        return CropRule(round(float(self.margin_ratios[0]), 6), self.square)


@dataclasses.dataclass(frozen=True)
class FaceDataset:
    """Face crops and their labels.

    Attributes:
        images: uint8 BGR `(N, size, size, 3)`, in [0, 255].
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
        """Build a dataset; what is left out gets neutral values.

        Args:
            images: uint8 BGR `(N, size, size, 3)`.
            poses: `(N, 3)`: yaw, pitch, roll in degrees.
            names, weights, groups: As in `FaceLabels`, or None.
            crop: How the crops were cut; None: unknown.
        """
        count = len(poses)
        return cls(
            images,
            FaceLabels(
                np.asarray(poses, np.float32),
                np.full(count, "") if names is None else np.asarray(names),
                np.ones(count, np.float32) if weights is None else np.asarray(weights, np.float32),
                np.full(count, "") if groups is None else np.asarray(groups),
                None if crop is None else np.full(count, crop.margin_ratio, np.float32),
                crop is not None and crop.square,
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
    write_dataset(path, [dataset.images], dataset.labels, dataset.image_size)


def write_dataset(
    path: str | Path, images: Iterable[np.ndarray], labels: FaceLabels, image_size: int
) -> None:
    """Write a dataset whose images come in parts, so that they need not fit in memory.

    Args:
        path: The `.npz` to write.
        images: Parts of uint8 BGR images `(n, image_size, image_size, 3)`, as many as labels in all.
        labels: The labels of all faces.
        image_size: Side of the crops in pixels.

    Raises:
        InputError: If the file cannot be written.
    """
    arrays: dict[str, Any] = {
        "pose": labels.poses.astype(np.float64),
        "img_size": image_size,
        "name": labels.names,
    }
    if labels.crop is not None:
        arrays |= dataclasses.asdict(labels.crop)
    elif labels.margin_ratios is not None:
        arrays |= {"margin_ratio": labels.margin_ratios, "square": labels.square}
    if (labels.weights != 1).any():
        arrays["weight"] = labels.weights
    if (labels.groups != "").any():
        arrays["group"] = labels.groups
    header = {"descr": "|u1", "fortran_order": False, "shape": (len(labels), image_size, image_size, 3)}
    with replace_when_done(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
        with archive.open("image.npy", "w", force_zip64=True) as stream:
            np.lib.format.write_array_header_1_0(stream, header)
            for part in images:
                stream.write(np.ascontiguousarray(part).tobytes())
        for key, value in arrays.items():
            with archive.open(f"{key}.npy", "w") as stream:
                np.lib.format.write_array(stream, np.asarray(value), allow_pickle=False)


def load_dataset(paths: str | Path | Sequence[str | Path]) -> FaceDataset:
    """Read one or several `.npz` files, ours or the original's, as one dataset.

    A single file's array is used as it is; several are copied one by one into the joint array, so that
    the peak memory is that of the result and the largest file.

    Args:
        paths: One path or several.

    Raises:
        InputError: If a file is missing or not an `.npz`, lacks a key, has a wrong shape or type or a pose
            that is not finite, or the files' image sizes differ.

    Example:
        >>> len(fsanet_tf.load_dataset("faces.npz"))
        24
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if len(paths) == 1:
        return _load(Path(paths[0]))
    labels, image_size = load_joint_labels(paths)
    images = np.empty((len(labels), image_size, image_size, 3), np.uint8)
    start = 0
    for path in paths:
        part = _load(Path(path)).images
        images[start : start + len(part)] = part
        start += len(part)
    return FaceDataset(images, labels)


def load_joint_labels(paths: Sequence[str | Path]) -> tuple[FaceLabels, int]:
    """Read everything but the images of several files as one: the labels, and the image size.

    Raises:
        InputError: As `load_dataset`.
    """
    parts, sizes = zip(*(load_labels(path) for path in paths), strict=True)
    if len(set(sizes)) != 1:
        raise InputError(f"{', '.join(map(str, paths))}: image sizes differ: {sorted(set(sizes))}")
    comparable = len({part.square for part in parts}) == 1
    margins = [part.margin_ratios for part in parts if part.margin_ratios is not None]
    joint = {
        field: np.concatenate([getattr(part, field) for part in parts])
        for field in ("poses", "names", "weights", "groups")
    }
    known = comparable and len(margins) == len(parts)
    return FaceLabels(
        **joint, margin_ratios=np.concatenate(margins) if known else None, square=parts[0].square and known
    ), sizes[0]


def load_labels(path: str | Path) -> tuple[FaceLabels, int]:
    """Read everything but the images of a file: the labels, and the image size.

    Raises:
        InputError: As `load_dataset`.
    """
    path = Path(path)
    with open_images(path) as (_, shape):
        pass
    return _load_labels(path, shape[0]), shape[1]


@contextlib.contextmanager
def open_images(path: Path) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """Open the images of a file as a stream of bytes, with their shape.

    Raises:
        InputError: If the file does not contain images as it should.
    """
    _open(path).close()
    with contextlib.ExitStack() as stack:
        try:
            archive = stack.enter_context(zipfile.ZipFile(path))
            stream = stack.enter_context(archive.open("image.npy"))
            version = np.lib.format.read_magic(stream)
            read = np.lib.format.read_array_header_1_0
            if version != (1, 0):
                read = np.lib.format.read_array_header_2_0
            shape, _, dtype = read(stream)
        except UNREADABLE as error:
            raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
        _require_images(path, shape, dtype)
        claimed, entry = int(np.prod(shape, dtype=object)), archive.getinfo("image.npy")
        if not claimed <= min(entry.file_size, MAX_IMAGE_BYTES):
            raise InputError(f"{path}: image claims {claimed} bytes, the file contains {entry.file_size}")
        if entry.file_size > max(MAX_EXPANSION * entry.compress_size, SMALL_BYTES):
            raise InputError(
                f"{path}: image expands from {entry.compress_size} to {entry.file_size} bytes, which photos "
                "do not"
            )
        yield stream, shape


def _open(path: Path) -> np.lib.npyio.NpzFile:
    require_file(path, EXPECTED_DATASET)
    if not zipfile.is_zipfile(path):  # NumPy's message would be about pickles
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, received no zip archive, or a truncated one")
    try:
        archive = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
    missing = {"image", "pose"} - set(archive.files)
    if missing:
        archive.close()
        raise InputError(f"{path}: expected {EXPECTED_DATASET}, {' and '.join(sorted(missing))} missing")
    return archive


def _require_images(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or dtype != np.uint8 or 0 in shape:
        raise InputError(f"{path}: image must be uint8 (N, S, S, 3), received {dtype} {tuple(shape)}")


def _load(path: Path) -> FaceDataset:
    labels, _ = load_labels(path)  # checks the header before memory is taken
    with _open(path) as archive:
        try:
            images = archive["image"]
        except (*UNREADABLE, MemoryError) as error:
            raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
    return FaceDataset(images, labels)


def _load_labels(path: Path, count: int) -> FaceLabels:
    with _open(path) as archive:
        try:
            found = {key: archive[key] for key in archive.files if key != "image"}
        except UNREADABLE as error:
            raise InputError(f"{path}: expected {EXPECTED_DATASET}, could not read it ({error})") from error
    poses = found["pose"]
    if poses.shape != (count, 3) or not np.issubdtype(poses.dtype, np.number):
        raise InputError(f"{path}: pose must be ({count}, 3) numbers, received {poses.dtype} {poses.shape}")
    poses = poses.astype(np.float32)
    if not np.isfinite(poses).all():
        row = int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
        raise InputError(f"{path}: pose {row} is not finite: {poses[row].tolist()}")
    for key in ("name", "group"):
        if key in found and found[key].shape != (count,):
            raise InputError(f"{path}: {key} must have {count} entries, received {len(found[key])}")
    margins = None
    if "margin_ratio" in found:
        margins = np.broadcast_to(_numbers(path, "margin_ratio", found, count), (count,))
    return FaceLabels(
        poses,
        found.get("name", np.full(count, "")).astype(str),
        _numbers(path, "weight", found, count) if "weight" in found else np.ones(count, np.float32),
        found.get("group", np.full(count, "")).astype(str),
        margins,
        bool(found.get("square", False)),
    )


def _numbers(path: Path, key: str, found: dict[str, np.ndarray], count: int) -> np.ndarray:
    """One number, or one per face, finite and not negative."""
    values = found[key]
    if values.shape not in ((), (count,)) or not np.issubdtype(values.dtype, np.number):
        raise InputError(f"{path}: {key} must be {count} numbers, received {values.dtype} {values.shape}")
    values = values.astype(np.float32)
    if not (np.isfinite(values).all() and (values >= 0).all()):
        raise InputError(f"{path}: {key} must be 0 or more and finite")
    return values
