"""Arrays of `.npz` files, whose images stay in the file until they are indexed."""

from __future__ import annotations

import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.files import require_file

# What a damaged .npz makes NumPy and zipfile raise.
UNREADABLE = (OSError, ValueError, TypeError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
EXPECTED = "an .npz with image (N, S, S, 3) uint8 and pose (N, 3)"
MAX_IMAGE_BYTES = 2**36  # a header that claims more is damaged
MAX_EXPANSION, SMALL_BYTES = 100, 2**28  # of compressed images; small ones may be blank


def read_npz(path: str | Path) -> dict[str, np.ndarray]:
    """Read the arrays of a file by name; `image` is a view of the file.

    Raises:
        InputError: If it is missing or cannot be read, or its images have another type or shape.
    """
    path = require_file(path, EXPECTED)
    if not zipfile.is_zipfile(path):  # NumPy's message would be about pickles
        raise InputError(f"{path}: expected {EXPECTED}, received no zip archive, or a truncated one")
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name.removesuffix(".npy") for name in archive.namelist()]
            images = {"image": _map_images(path, archive)} if "image" in names else {}
        with np.load(path, allow_pickle=False) as arrays:
            return {**images, **{name: arrays[name] for name in names if name != "image"}}
    except InputError:
        raise
    except (*UNREADABLE, MemoryError) as error:
        raise InputError(f"{path}: expected {EXPECTED}, could not read it ({error})") from error


def require_images(name: str | Path, dtype: Any, shape: Sequence[int]) -> None:
    """Check the type and the shape of images.

    Raises:
        InputError: If they are something else than square uint8 images, at least one.
    """
    if dtype != np.uint8 or len(shape) != 4 or shape[1] != shape[2] or shape[3] != 3 or 0 in shape:
        raise InputError(f"{name}: image must be uint8 (N, S, S, 3), received {dtype} {tuple(shape)}")


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
        require_images(path, dtype, shape)
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


class FileImages:
    """Images of a file that is open only while they are indexed: a process may open few files at once.

    Args:
        path: The `.npz`.
        images: The same images as an array.
    """

    def __init__(self, path: Path, images: np.ndarray):
        self.path = path
        self.shape, self.dtype = images.shape, images.dtype

    def __getitem__(self, index: Any) -> np.ndarray:
        return np.array(read_npz(self.path)["image"][index])


class JoinedImages:
    """Images of several files as one array `(N, S, S, 3)`, of which indexing reads what it needs."""

    def __init__(self, parts: Sequence[np.ndarray | FileImages]):
        self.parts = parts
        self.starts = np.cumsum([0, *(part.shape[0] for part in parts)])
        self.shape = (int(self.starts[-1]), *parts[0].shape[1:])
        self.dtype = parts[0].dtype

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Any) -> np.ndarray:
        rows = np.arange(len(self))[index]
        part_of = np.searchsorted(self.starts, rows, side="right") - 1
        images = np.empty((*rows.shape, *self.shape[1:]), self.dtype)
        for number, (part, start) in enumerate(zip(self.parts, self.starts[:-1], strict=True)):
            chosen = part_of == number
            if chosen.any():
                images[chosen] = part[rows[chosen] - start]
        return images

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return self[:].astype(dtype or self.dtype, copy=False)
