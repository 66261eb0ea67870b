"""The data format of the project: crops and poses in one `.npz`, as the original writes it."""

import contextlib
import dataclasses
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import numpy as np

from fsanet_tf.crop import CropRule
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done, require_file

MAX_ANGLE_DEG = 99.0  # protocol 1 leaves out faces with a larger angle
# What a damaged .npz makes NumPy and zipfile raise.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
EXPECTED = "an .npz with image (N, S, S, 3) uint8 and pose (N, 3)"


@dataclasses.dataclass(frozen=True)
class FaceDataset:
    """Faces and their poses.

    Attributes:
        images: uint8 BGR `(N, size, size, 3)`.
        poses: float32 `(N, 3)`, yaw, pitch, roll in degrees.
        names: `(N,)`, where each crop came from; empty strings for files of the original.
        crop: how the crops were cut; None for files of the original.
    """

    images: np.ndarray
    poses: np.ndarray
    names: np.ndarray
    crop: CropRule | None = None

    def __len__(self) -> int:
        return len(self.poses)

    @property
    def image_size(self) -> int:
        return self.images.shape[1]

    def within_protocol(self, protocol: int) -> np.ndarray:
        """Indices of the faces that count: protocol 1 keeps |angle| ≤ 99°, protocol 2 all."""
        if protocol == 2:
            return np.arange(len(self))
        return np.flatnonzero(is_moderate(self.poses))


def is_moderate(poses: np.ndarray) -> np.ndarray:
    """Which poses `(N, 3)` have all their angles within ±99°, `(N,)`."""
    return (np.abs(poses) <= MAX_ANGLE_DEG).all(axis=1)


def save_dataset(path: str | Path, dataset: FaceDataset) -> None:
    """Write an `.npz` that the original reads too: `image`, `pose`, `img_size`; and `name` and `crop`'s."""
    arrays = {
        "image": dataset.images,
        "pose": dataset.poses.astype(np.float64),
        "img_size": np.array(dataset.image_size),
        "name": dataset.names,
    }
    if dataset.crop is not None:
        arrays |= {key: np.array(value) for key, value in dataclasses.asdict(dataset.crop).items()}
    with replace_when_done(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def load_dataset(paths: str | Path | Sequence[str | Path]) -> FaceDataset:
    """Read one or several `.npz` files, ours or the original's, as one data set.

    A single file's array is used as it is; several are copied one by one into the joint array, so
    that the peak stays at the result and the largest file.

    Raises:
        InputError: no such file, not an `.npz`, a key missing, a wrong shape or type, a pose that is
            not finite, or files of different image sizes.
    """
    paths = [paths] if isinstance(paths, str | Path) else list(paths)
    if len(paths) == 1:
        return _load(Path(paths[0]))
    poses, image_size, crop = load_joint_poses(paths)
    images = np.empty((len(poses), image_size, image_size, 3), np.uint8)
    names, start = [], 0
    for path in paths:
        part = _load(Path(path))
        images[start : start + len(part)] = part.images
        start += len(part)
        names.append(part.names)
    return FaceDataset(images, poses, np.concatenate(names), crop)


def _open(path: Path) -> np.lib.npyio.NpzFile:
    require_file(path, EXPECTED)
    if not zipfile.is_zipfile(path):  # NumPy would speak of pickles
        raise InputError(f"{path}: expected {EXPECTED}, received no zip archive, or a cut one")
    try:
        archive = np.load(path, allow_pickle=False)
    except UNREADABLE as error:
        raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error
    missing = {"image", "pose"} - set(archive.files)
    if missing:
        archive.close()
        raise InputError(f"{path}: expected {EXPECTED}, {' and '.join(sorted(missing))} missing")
    return archive


def load_joint_poses(paths: Sequence[str | Path]) -> tuple[np.ndarray, int, CropRule | None]:
    """`load_poses` of several files as one; the crop is None where theirs differ.

    Raises:
        InputError: as `load_dataset`.
    """
    poses, sizes, crops = zip(*(load_poses(path) for path in paths), strict=True)
    if len(set(sizes)) != 1:
        raise InputError(f"{', '.join(map(str, paths))}: image sizes differ: {sorted(set(sizes))}")
    return np.concatenate(poses), sizes[0], crops[0] if len(set(crops)) == 1 else None


def load_poses(path: str | Path) -> tuple[np.ndarray, int, CropRule | None]:
    """All of a file but its images: float32 poses `(N, 3)`, the image size and how the crops were cut.

    Raises:
        InputError: as `load_dataset`.
    """
    path = Path(path)
    with open_images(path) as (_, shape):
        pass
    poses, _, crop = _load_labels(path, shape[0])
    return poses, shape[1], crop


@contextlib.contextmanager
def open_images(path: Path) -> Iterator[tuple[IO[bytes], tuple[int, ...]]]:
    """A stream of the images' bytes, in order, and their shape.

    Raises:
        InputError: the file does not hold images as it should.
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
            raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error
        _require_images(path, shape, dtype)
        yield stream, shape


def _require_images(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or dtype != np.uint8 or 0 in shape:
        raise InputError(f"{path}: image must be uint8 (N, S, S, 3), received {dtype} {tuple(shape)}")


def _load(path: Path) -> FaceDataset:
    with _open(path) as archive:
        try:
            images = archive["image"]
        except UNREADABLE as error:
            raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error
    _require_images(path, images.shape, images.dtype)
    return FaceDataset(images, *_load_labels(path, len(images)))


def _load_labels(path: Path, num_images: int) -> tuple[np.ndarray, np.ndarray, CropRule | None]:
    """Poses, names and how the crops were cut."""
    with _open(path) as archive:
        try:
            poses = archive["pose"]
            names = archive["name"] if "name" in archive else np.full(num_images, "")
            crop = None
            if "margin_ratio" in archive:
                crop = CropRule(
                    float(archive["margin_ratio"]), "square" in archive and bool(archive["square"])
                )
        except UNREADABLE as error:
            raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error
    if poses.shape != (num_images, 3) or not np.issubdtype(poses.dtype, np.number):
        raise InputError(
            f"{path}: pose must be ({num_images}, 3) numbers, received {poses.dtype} {poses.shape}"
        )
    poses = poses.astype(np.float32)
    if not np.isfinite(poses).all():
        row = int(np.flatnonzero(~np.isfinite(poses).all(axis=1))[0])
        raise InputError(f"{path}: pose {row} is not finite: {poses[row].tolist()}")
    if len(names) != num_images:
        raise InputError(f"{path}: name must have {num_images} entries, received {len(names)}")
    return poses, names, crop
