"""Sinks, which frames are written to: context managers that a caller attaches to a source.

Each writes its file atomically: it is complete when the block ends, also by Ctrl-C, and not there if an error
ended it.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
from collections import defaultdict, deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, TypeVar

import cv2
import numpy as np

from fsanet_tf.detection.face_pose import COLUMNS, FacePose
from fsanet_tf.errors import InputError, OptionError
from fsanet_tf.io.files import library_path, printable_name, replace_when_done
from fsanet_tf.io.images import as_bgr
from fsanet_tf.options import checked
from fsanet_tf.prediction.sources import Frame, Photos, is_live

__all__ = ["TableSink", "TimeSequence", "VideoSink"]

FORMATS = (".mp4", ".avi", ".mkv")
DRAWN_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")
MAX_TIME_BASE = 65535  # of MPEG-4: frames per second times a power of ten may not be more
MIN_RATE = 0.5  # frames per second; OpenCV's encoder crashes the process at 0.1
MAX_PENDING = 4  # frames that wait to be encoded
PROBE_BYTES = 1 << 16
FIELDS = ("frame", "time_s", "track", *COLUMNS, "x_mm", "y_mm", "z_mm")
MIN_SHARE = 0.1  # of the longest track; shorter ones are spurious detections

SinkType = TypeVar("SinkType", bound="FileSink")


def _require_frame(frame: Any) -> None:
    if not isinstance(frame, Frame):
        raise InputError(f"frame: expected a Frame, as track yields, received {type(frame).__name__}")


class FileSink:
    """A file that is complete or not there.

    Args:
        path: The file.

    Raises:
        InputError: If it is a folder.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        if self.path.is_dir():
            raise InputError(f"{path}: expected a file to write, received a folder")
        self.problem = ""
        self._stack = contextlib.ExitStack()
        self._is_open = False

    def __enter__(self: SinkType) -> SinkType:
        self._begin()
        self._is_open = True
        return self

    def _begin(self) -> None:
        """Create the temporary file."""
        self._temporary = self._stack.enter_context(replace_when_done(self.path))

    def _require_open(self) -> None:
        if not self._is_open:
            raise InputError(f"{self.path}: expected to be written to inside of its `with` block")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_open = False
        if kind is None or issubclass(kind, KeyboardInterrupt):
            with self._stack:
                self._finish()
            if self.problem:
                raise InputError(f"{self.path}: {self.problem}")
        else:
            self._stack.__exit__(kind, error, trace)

    def _finish(self) -> None:
        """Complete the temporary file; set `problem` if it is worth keeping, but not complete."""


class VideoSink(FileSink):
    """Write images to a video: `.mp4`, `.avi` or `.mkv`. Encoding runs in a separate thread.

    Args:
        path: The video.
        rate: Frames per second; rounded to what MPEG-4 can represent.

    Raises:
        InputError: If the format is unknown, or the rate is not positive; when writing or at the end of the
            block, if OpenCV cannot encode the images or the disk refuses the file, or if there was no image.

    Example:
        >>> with fsanet_tf.VideoSink("gray.mp4", rate=25) as video:
        ...     video.write(np.full((90, 160, 3), 128, np.uint8))
    """

    def __init__(self, path: str | Path, rate: float):
        super().__init__(path)
        if self.path.suffix.lower() not in FORMATS:
            raise InputError(f"{path}: cannot write such a video (expected {', '.join(FORMATS)})")
        rate = checked("rate", float, rate)
        if rate <= 0:
            raise OptionError("rate", f"expected frames per second above 0, received {rate}")
        self._rate = encodable_rate(rate)
        self._writer: cv2.VideoWriter | None = None
        self._count = 0
        self._pending: deque[Future] = deque()

    def _begin(self) -> None:
        super()._begin()
        self._name = self._stack.enter_context(library_path(self._temporary))
        self._stack.callback(self._release)
        self._encoder = self._stack.enter_context(ThreadPoolExecutor(1))

    def write(self, image: np.ndarray) -> None:
        """Append an image, uint8 BGR or grayscale; the first one's size is the video's."""
        self._require_open()
        while len(self._pending) >= MAX_PENDING:
            self._pending.popleft().result()
        image = as_bgr(image)
        # MPEG-4 has even sides. The copy allows the caller to change the image.
        height, width = image.shape[:2]
        even = cv2.copyMakeBorder(image, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE)
        self._pending.append(self._encoder.submit(self._encode, even))
        self._count += 1

    def _encode(self, image: np.ndarray) -> None:
        if self._writer is None:
            self._size = (image.shape[1], image.shape[0])
            code = cv2.VideoWriter.fourcc(*"mp4v")
            self._writer = cv2.VideoWriter(self._name, code, self._rate, self._size)
            if not self._writer.isOpened():
                problem = (
                    self._disk_problem()
                    or "OpenCV cannot encode images of {}×{} at {:g} frames/s".format(*self._size, self._rate)
                )
                raise InputError(f"{self.path}: cannot write it: {problem}")
        if (image.shape[1], image.shape[0]) != self._size:
            image = cv2.resize(image, self._size)
        self._writer.write(image)

    def _release(self) -> None:
        if self._writer is not None:
            self._writer.release()

    def _finish(self) -> None:
        while self._pending:
            self._pending.popleft().result()
        if self._writer is None:
            raise InputError(f"{self.path}: no image was written to it")
        self._writer.release()
        found = _count_frames(self._name)  # OpenCV reports neither a full disk nor a codec that fails
        if found != self._count:
            problem = self._disk_problem() or "the encoder failed"
            raise InputError(f"{self.path}: {found} of {self._count} frames could be written: {problem}")

    def _disk_problem(self) -> str | None:
        """Return why the file cannot grow, or None if it can."""
        try:
            with self._temporary.open("ab") as file:
                file.write(bytes(PROBE_BYTES))
        except OSError as error:
            return error.strerror
        return None


def encodable_rate(rate: float) -> float:
    """Round a frame rate to what MPEG-4 can represent: decimals as far as its time base allows."""
    decimals = 3
    while decimals and rate * 10**decimals > MAX_TIME_BASE:
        decimals -= 1
    return max(round(rate, decimals), MIN_RATE)


def _count_frames(name: str) -> int:
    capture = cv2.VideoCapture(name)
    count = 0
    while capture.grab():
        count += 1
    capture.release()
    return count


class TableSink(FileSink):
    """Write a line per face to a table in UTF-8.

    On a full disk the lines wait in memory: a drawing that does not fit is removed before tables end. Those
    that do not fit then are missing at the end of the table.

    Args:
        path: The table.
        format: `csv`, or `json`: JSON Lines; default: `csv` if that is the file's suffix.

    Raises:
        InputError: If the format is unknown; at the end of the block, if lines are missing.

    Example:
        >>> with fsanet_tf.VideoSink("clip.mp4", rate=25) as video:
        ...     video.write(fsanet_tf.read_image("photo.jpg"))
        >>> with fsanet_tf.TableSink("faces.csv") as table:
        ...     for frame in fsanet_tf.track("clip.mp4", detector="haar"):
        ...         table.write(frame)
    """

    def __init__(self, path: str | Path, format: Literal["csv", "json"] | None = None):
        super().__init__(path)
        if format not in (None, "csv", "json"):
            raise OptionError("format", f"expected csv or json, received {format}")
        self._format = format or ("csv" if self.path.suffix.lower() == ".csv" else "json")

    def _begin(self) -> None:
        super()._begin()
        self._waiting = bytearray()
        self._count = 0
        self._file = self._stack.enter_context(self._temporary.open("wb", buffering=0))
        if self._format == "csv":
            self._append(",".join(FIELDS) + "\r\n")

    def write(self, frame: Frame) -> None:
        """Write the faces of a frame; bytes of its name that are not UTF-8 are escaped."""
        self._require_open()
        _require_frame(frame)
        for face in frame.faces:
            values = _values(frame, face)
            if self._format == "csv":
                line = io.StringIO()
                csv.writer(line).writerow(values)
                self._append(line.getvalue())
            else:
                row = dict(zip(FIELDS, values, strict=True))
                self._append(json.dumps(row, ensure_ascii=False) + "\n")
            self._count += 1

    def _append(self, line: str) -> None:
        self._waiting += line.encode()
        with contextlib.suppress(OSError):
            self._flush()

    def _flush(self) -> None:
        while self._waiting:
            del self._waiting[: self._file.write(self._waiting)]

    def _finish(self) -> None:
        try:
            self._flush()
        except OSError as error:
            missing = self._waiting.count(b"\n")
            if missing >= self._count:  # nothing is lost
                raise
            self._cut_to_lines()
            written = self._count - missing
            self.problem = f"{written} of {self._count} lines could be written: {error.strerror}"

    def _cut_to_lines(self) -> None:
        """Remove the beginning of a line."""
        end = self._temporary.read_bytes().rfind(b"\n") + 1
        self._file.truncate(end)


def _values(frame: Frame, face: FacePose) -> tuple:
    return (
        printable_name(frame.name),
        round(frame.time_s, 3),
        face.track,
        *face.row().values(),
        *(face.position_mm or (None, None, None)),
    )


class TimeSequence(FileSink):
    """Plot yaw, pitch and roll over time, a panel per person (the original's `time_demo`).

    Without any face there is no plot.

    Args:
        path: The image.

    Raises:
        InputError: If Matplotlib cannot write the format.
        MissingExtraError: If Matplotlib is not installed.

    Example:
        >>> with fsanet_tf.VideoSink("clip.mp4", rate=25) as video:
        ...     video.write(fsanet_tf.read_image("photo.jpg"))
        >>> with fsanet_tf.TimeSequence("angles.png") as plot:
        ...     for frame in fsanet_tf.track("clip.mp4", detector="haar"):
        ...         plot.write(frame)
    """

    def __init__(self, path: str | Path):
        super().__init__(path)
        from fsanet_tf.drawing.plots import FORMATS, draw_angles_over_time

        if self.path.suffix.lower() not in FORMATS:
            raise InputError(f"{path}: cannot write such a plot (expected {', '.join(FORMATS)})")
        self._draw = draw_angles_over_time

    def _begin(self) -> None:
        self._times: dict[int | None, list[float]] = defaultdict(list)
        self._poses: dict[int | None, list[tuple[float, float, float]]] = defaultdict(list)

    def write(self, frame: Frame) -> None:
        """Add the faces of a frame."""
        self._require_open()
        _require_frame(frame)
        for face in frame.faces:
            self._times[face.track].append(frame.time_s)
            self._poses[face.track].append(face.pose_deg)

    def _finish(self) -> None:
        longest = max(map(len, self._times.values()), default=0)
        kept = [track for track, times in self._times.items() if len(times) >= MIN_SHARE * longest]
        if kept:
            sequences = {f"person {t}": (np.array(self._times[t]), np.array(self._poses[t])) for t in kept}
            self._draw(sequences, self.path)


def default_output(source: str, photos: Photos | None) -> Path:
    """Name the drawing after its source, in the current folder; `photos` is None for a video or camera."""
    if photos is None:
        return Path(f"{'camera' if is_live(source) else Path(source).stem}_poses.mp4")
    return Path(f"{Path(source).stem}_poses{'' if photos.folder else '.png'}")


def drawing_path(photos: Photos, photo: Path, output: Path) -> Path:
    """Return where a photo is drawn to: a folder keeps its structure, in formats that can be written."""
    if not (photos.folder or output.is_dir()):
        return output
    path = output / photos.name(photo)
    return path if path.suffix.lower() in DRAWN_SUFFIXES else path.with_name(f"{path.name}.png")
