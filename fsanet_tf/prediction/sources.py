"""Image sources: photos, folders, videos, GIFs and cameras, as frames with a name and a time."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from fsanet_tf.errors import InputError
from fsanet_tf.io.images import ASTRONAUT

PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
DEFAULT_RATE = 25.0
NO_SUCH = "no such photo, folder, video or camera"


class Frame(NamedTuple):
    """An image of a source: its name, its time in seconds, uint8 BGR pixels `(height, width, 3)`."""

    name: str
    time_s: float
    image: np.ndarray


def photo_paths(source: str) -> list[Path] | None:
    """Return the photos of a source, or None if it is a video or camera.

    Raises:
        InputError: If there is no such photo, or the folder contains none.
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
        """Time that the stream gives the frame that was read last, in seconds; frame rates may vary."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
