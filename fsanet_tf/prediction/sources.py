"""Image sources: photos, folders, videos, GIFs and cameras, as frames with a name and a time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.images import ASTRONAUT

PHOTOS = (
    ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".avif", ".ppm", ".heic", ".heif"
)  # fmt: skip
ANIMATIONS = (".gif", ".webp")  # may move
VIDEOS = (".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v")
DEFAULT_RATE = 25.0
NO_SUCH = "no such photo, folder, video or camera"


class Frame(NamedTuple):
    """An image of a source: its name, its time in seconds, uint8 BGR pixels `(height, width, 3)`."""

    name: str
    time_s: float
    image: np.ndarray


def photo_paths(source: str, recursive: bool = False) -> list[Path] | None:
    """Return the photos of a source, or None if it is a video or camera.

    A file is a photo if its suffix says so or, without a known suffix, its content.

    Args:
        source: A photo, a folder, or something else.
        recursive: Whether to search the folder's subfolders too.

    Raises:
        InputError: If there is no such photo, or the folder contains none.
    """
    path = Path(source)
    if source == ASTRONAUT:
        return [path]
    if path.is_dir():
        found = path.rglob("*") if recursive else path.iterdir()
        photos = sorted(p for p in found if p.is_file() and _is_photo(p))
        if not photos:
            raise InputError(f"{source}: expected photos ({', '.join(PHOTOS)}), found none")
        return photos
    if path.is_file():
        return [path] if _is_photo(path) else None
    if path.suffix.lower() in PHOTOS:
        raise InputError(f"{source}: {NO_SUCH}")
    return None


def _is_photo(path: Path) -> bool:
    suffix = path.suffix.lower()
    if suffix in ANIMATIONS:
        return not _is_animation(path)
    return suffix in PHOTOS or (suffix not in VIDEOS and cv2.haveImageReader(str(path)))


def _is_animation(path: Path) -> bool:
    if path.suffix.lower() == ".gif":
        return True
    try:
        return cv2.haveImageReader(str(path)) and cv2.imcount(str(path)) > 1
    except cv2.error:
        return False


def open_video(source: str) -> "Video | Animation":
    """Open a video, a camera or an animated image.

    Raises:
        InputError: If it cannot be opened, or has no frame.
    """
    path = Path(source)
    if path.suffix.lower() == ".webp" and path.is_file():
        return Animation(path)
    return Video(source)


class Animation:
    """Frames of an animated WebP, which video decoders do not read.

    Args:
        path: The file.

    Attributes:
        rate: Frames per second, on average.
        length: Number of frames.
        missing: Empty; as for `Video`.

    Raises:
        InputError: If it cannot be decoded.
    """

    def __init__(self, path: Path):
        read, animation = cv2.imreadanimation(str(path))
        if not read:
            raise InputError(f"{path}: expected an animated image, could not decode it")
        self._images = [np.ascontiguousarray(image[..., :3]) for image in animation.frames]
        durations_s = np.maximum(np.array(animation.durations, float), 1.0) / 1000
        self._times_s = np.concatenate([[0.0], np.cumsum(durations_s)[:-1]])
        self.length = len(self._images)
        self.rate = self.length / durations_s.sum()
        self.missing = ""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        for number, (time_s, image) in enumerate(zip(self._times_s.tolist(), self._images, strict=True)):
            yield Frame(f"{number:06d}", time_s, image)


class Video:
    """Frames of a video file, a GIF, a webcam (its number) or an address such as `rtsp://…`.

    Args:
        source: Which one.

    Attributes:
        rate: Frames per second.
        length: Number of frames that the file claims; None for a camera.
        missing: After the last frame: what went wrong, or an empty string.

    Raises:
        InputError: If it cannot be opened, or has no frame.
    """

    def __init__(self, source: str):
        self.source = source
        self.is_live = source.isdigit() or "://" in source
        if not self.is_live and not Path(source).is_file():
            raise InputError(f"{source}: {NO_SUCH}")
        self._capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
        opened, self._first = self._capture.read()
        if not opened:
            self._capture.release()
            kind = "a camera that responds" if self.is_live else "a photo or video"
            raise InputError(f"{source}: expected {kind}, could not read it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else DEFAULT_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = count if not self.is_live and count > 0 else None
        self.missing = ""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, one in memory at a time."""
        number, image, ok, start = 0, self._first, True, time.monotonic()
        first_s = self._position_s()
        last_s = -1 / self.rate
        try:
            while ok:
                time_s = time.monotonic() - start if self.is_live else self._position_s() - first_s
                if not time_s > last_s:  # the stream has no times, or they repeat
                    time_s = last_s + 1 / self.rate
                last_s = time_s
                yield Frame(f"{number:06d}", time_s, image)
                number += 1
                ok, image = self._capture.read()
        finally:
            self._capture.release()
        if self.is_live:
            self.missing = f"{self.source}: the camera stopped after {number} frames"
        elif self.length and number < self.length:
            self.missing = f"{self.source}: {number} of {self.length} frames could be read"

    def _position_s(self) -> float:
        """Timestamp of the frame that was read last, in seconds; frame rates may vary."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
