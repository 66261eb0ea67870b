"""Video files that are complete or not there."""

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from fsanet_tf.errors import InputError

VIDEO_SUFFIXES = (".mp4", ".avi", ".mkv")


class VideoWriter:
    """Context manager that writes frames to a video and checks the finished file.

    OpenCV reports neither a full disk nor a failing codec, so the file is opened again and its frames are
    counted.

    Args:
        path: The file to write.
        name: How messages call it.
        rate: Frames per second.

    Raises:
        InputError: If the format cannot be written, or the finished file lacks frames.
    """

    def __init__(self, path: Path, name: Path, rate: float):
        self._path, self._name, self._rate = path, name, rate
        self._writer: cv2.VideoWriter | None = None
        self._count = 0

    def __enter__(self) -> "VideoWriter":
        return self

    def write(self, image: np.ndarray) -> None:
        """Append a frame, uint8 BGR `(height, width, 3)`; all frames have the size of the first."""
        if self._writer is None:
            size = (image.shape[1], image.shape[0])
            self._writer = cv2.VideoWriter(str(self._path), cv2.VideoWriter.fourcc(*"mp4v"), self._rate, size)
            if not self._writer.isOpened():
                raise InputError(f"{self._name}: cannot write such a video (disk full, or unknown format)")
        self._writer.write(image)
        self._count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.release()
        if kind is None and self._count and (found := self._count_frames()) != self._count:
            raise InputError(
                f"{self._name}: only {found} of {self._count} frames could be written (is the disk full?)"
            )

    def _count_frames(self) -> int:
        capture, count = cv2.VideoCapture(str(self._path)), 0
        while capture.grab():
            count += 1
        capture.release()
        return count
