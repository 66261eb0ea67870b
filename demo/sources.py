"""What the demo looks at: photos, folders, videos, GIFs, cameras, as pictures with a name and a time."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.pictures import read_picture
from fsanet_tf.quiet import silent_output

ASTRONAUT = "astronaut"
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
DEFAULT_RATE = 25.0
NO_SUCH = "no such photo, folder, video or camera"

# FFmpeg's complaints would stand beside our one line.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")


class Frame(NamedTuple):
    """A picture of a source: its name, its time in seconds, uint8 BGR pixels."""

    name: str
    time_s: float
    image: np.ndarray


def astronaut() -> np.ndarray:
    """The photo of the first try: Eileen Collins, NASA, from scikit-image."""
    import skimage.data

    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


def read_photo(path: Path) -> np.ndarray:
    """A photo as uint8 BGR `(height, width, 3)`.

    Raises:
        InputError: it cannot be read.
    """
    return astronaut() if str(path) == ASTRONAUT else read_picture(path)


def photo_paths(source: str) -> list[Path] | None:
    """The photos of a source, or None where it is a video or camera.

    Raises:
        InputError: no such photo, or a folder without photos.
    """
    path = Path(source)
    if source == ASTRONAUT:
        return [path]
    if path.is_dir():
        photos = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTOS and p.is_file())
        if not photos:
            raise InputError(f"{source}: expected photos ({', '.join(PHOTOS)}), found none")
        return photos
    if path.suffix.lower() not in PHOTOS:
        return None
    if not path.is_file():
        raise InputError(f"{source}: {NO_SUCH}")
    return [path]


class Video:
    """A video file, a GIF, a webcam (its number) or an address such as `rtsp://…`.

    Args:
        source: which.

    Attributes:
        rate: frames a second.
        length: frames that the file says it holds; None for what has no end.
        missing: after the last frame: what went wrong, or an empty string.

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """

    def __init__(self, source: str):
        self.source = source
        self.is_live = source.isdigit() or "://" in source
        if not self.is_live and not Path(source).is_file():
            raise InputError(f"{source}: {NO_SUCH}")
        with silent_output():
            self._capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
            opened, self._first = self._capture.read()
        if not opened:
            self._capture.release()
            kind = "a camera that answers" if self.is_live else "a photo or video"
            raise InputError(f"{source}: expected {kind}, could not read it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else DEFAULT_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = count if not self.is_live and count > 0 else None
        self.missing = ""

    def __iter__(self) -> Iterator[Frame]:
        """The frames, one at a time; only one is held."""
        number, image, ok, start = 0, self._first, True, time.monotonic()
        try:
            while ok:
                time_s = time.monotonic() - start if self.is_live else number / self.rate
                yield Frame(f"{number:06d}", time_s, image)
                number += 1
                ok, image = self._capture.read()
        finally:
            self._capture.release()
        if self.is_live:
            self.missing = f"{self.source}: the camera stopped after {number} frames"
        elif self.length and number < self.length:
            self.missing = f"{self.source}: {number} of {self.length} frames could be read"
