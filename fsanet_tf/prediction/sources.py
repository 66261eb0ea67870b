"""Image sources: photos, folders, videos, GIFs and cameras, as frames with a name and a time."""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import queue
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import cv2
import numpy as np

from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.drawing.faces import draw_faces
from fsanet_tf.errors import InputError
from fsanet_tf.io.files import is_special, library_path, printable_name
from fsanet_tf.io.folders import describe_skipped, files_in
from fsanet_tf.io.images import ASTRONAUT
from fsanet_tf.io.waiting import call_in_thread

__all__ = ["Frame"]

PHOTO_SUFFIXES = (
    ".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".webp", ".tif", ".tiff", ".jp2", ".avif", ".ppm",
    ".pgm", ".heic", ".heif",
)  # fmt: skip
VIDEO_SUFFIXES = (
    ".mp4", ".avi", ".mkv", ".mov", ".webm", ".m4v", ".mts", ".m2ts", ".mpg", ".mpeg", ".mjpg", ".mjpeg",
    ".wmv", ".flv", ".3gp", ".ogv", ".gif", ".apng",
)  # fmt: skip
# How the content of files starts, where the name does not tell.
PHOTO_STARTS = (
    b"\xff\xd8\xff", b"\x89PNG", b"BM", b"II*\0", b"MM\0*", b"\0\0\0\x0cjP", b"P2", b"P3", b"P5", b"P6"
)  # fmt: skip
VIDEO_STARTS = (b"GIF8", b"\x1a\x45\xdf\xa3", b"\0\0\x01\xba", b"FLV")
TRANSPORT_PACKET = 188  # bytes of an MPEG transport stream between two "G"
PHOTO_BRANDS = (b"avif", b"heic", b"heix", b"mif1")  # of files with `ftyp`; the others are videos
DEFAULT_RATE = 25.0
READ_AHEAD = 4  # frames
POLL_S = 0.1  # after which a caller that waits for a frame sees that it should stop
STOP_PATIENCE_S = 2.0  # for a camera or pipe that sends nothing any more
UNTIMED_FRAME_S = 0.1  # of an animation without times, as decoders of GIFs have it
CAMERA_NUMBER = re.compile(r"[0-9]{1,9}")  # OpenCV takes a C int
NEITHER = "neither a photo nor a video"
NO_SUCH = "no such photo, folder, video or camera"


class Frame(NamedTuple):
    """A photo, or a frame of a video or camera.

    Attributes:
        name: File of the photo, or number of the frame.
        time_s: Time of the frame in seconds; 0 for a photo.
        image: uint8 BGR `(height, width, 3)`.
        faces: The faces with their poses.

    Example:
        >>> image = fsanet_tf.read_image("photo.jpg")
        >>> frame = fsanet_tf.Frame("photo.jpg", 0.0, image, fsanet_tf.estimate("photo.jpg", detector="haar"))
        >>> frame.draw("cube").shape == image.shape
        True
    """

    name: str
    time_s: float
    image: np.ndarray
    faces: Sequence[FacePose] = ()

    def draw(self, style: str = "axes", show_uncertainty: bool = False) -> np.ndarray:
        """Return a copy of the image with the faces drawn, as by `draw_faces`."""
        drawn = self.image.copy()
        draw_faces(drawn, self.faces, style, show_uncertainty)
        return drawn


def as_source(source: str | os.PathLike | int) -> str:
    """Return a source as files and OpenCV know it: the path of a `file://` address, schemes in lower case."""
    text = os.fsdecode(source) if isinstance(source, bytes | os.PathLike) else str(source)
    scheme, mark, rest = text.partition("://")
    if mark and scheme.lower() == "file":
        return unquote(rest, errors="surrogateescape")
    return f"{scheme.lower() if mark else scheme}{mark}{rest}"


def is_live(source: str) -> bool:
    """Return whether a source is a camera's number, an address, a device or a pipe, not a file."""
    return bool(CAMERA_NUMBER.fullmatch(source)) or "://" in source or is_special(source)


def file_kind(path: str | Path) -> str | None:
    """Tell what a file is: the one notion of a photo and a video.

    By its suffix; if that says nothing, by how its content starts.

    Returns:
        `"photo"`, `"video"` (animations included), or None: neither.
    """
    suffix = Path(path).suffix.lower()
    if suffix in VIDEO_SUFFIXES:
        return "video"
    if suffix in PHOTO_SUFFIXES and suffix != ".webp":
        return "photo"
    try:
        with open(path, "rb") as file:
            start = file.read(TRANSPORT_PACKET + 1)
    except OSError:
        return "photo" if suffix in PHOTO_SUFFIXES else None
    if start[8:12] == b"WEBP":
        return "video" if start[12:16] == b"VP8X" and start[20] & 2 else "photo"  # the flag of animations
    if suffix in PHOTO_SUFFIXES or start.startswith(PHOTO_STARTS):
        return "photo"
    if start[4:8] == b"ftyp":
        return "photo" if start[8:12] in PHOTO_BRANDS else "video"
    is_transport_stream = start[:1] == start[TRANSPORT_PACKET:] == b"G"  # .ts is TypeScript's suffix, too
    return (
        "video" if is_transport_stream or start.startswith(VIDEO_STARTS) or start[8:12] == b"AVI " else None
    )


@dataclasses.dataclass(frozen=True)
class Photos:
    """The photos of a source.

    Attributes:
        paths: Their files.
        folder: The folder that contains them; None for a single photo.
        skipped: Why the folder's other files and folders are left out, by name.
    """

    paths: list[Path]
    folder: Path | None = None
    skipped: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def name(self, photo: Path) -> str:
        """Name a photo by its path in the folder."""
        return str(photo.relative_to(self.folder)) if self.folder else photo.name


def find_photos(source: str, recursive: bool = False) -> Photos | None:
    """Find the photos of a source; None if it is a video or camera.

    Args:
        source: A photo, a folder, or something else.
        recursive: Whether to search the folder's subfolders too.

    Raises:
        InputError: If there is no such photo, or the folder contains none.
    """
    path = Path(source)
    if source == ASTRONAUT:
        return Photos([path])
    if is_live(source):
        return None
    if path.is_dir():
        skipped: dict[str, str] = {}
        kinds = {Path(file): file_kind(file) for file in files_in(path, skipped, recursive)}
        skipped |= {printable_name(p): kind or NEITHER for p, kind in kinds.items() if kind != "photo"}
        photos = sorted(p for p, kind in kinds.items() if kind == "photo")
        if not photos:
            raise InputError(f"{source}: expected photos, found none{describe_skipped(skipped)}")
        return Photos(photos, path, skipped)
    if path.is_file():
        return Photos([path]) if file_kind(path) == "photo" else None
    if path.suffix.lower() in PHOTO_SUFFIXES:
        raise InputError(f"{source}: {NO_SUCH}")
    return None


def open_video(source: str | Path) -> Video | Animation:
    """Open a video, a camera or an animated image.

    Raises:
        InputError: If it is photos, cannot be opened, or has no frame.
    """
    source = as_source(source)
    if find_photos(source):
        raise InputError(f"{source}: expected a video or camera, received photos (see estimate)")
    if not is_live(source) and os.path.isfile(source):
        with open(source, "rb") as file:
            if file.read(12)[8:] == b"WEBP":
                return Animation(Path(source))
    return Video(source)


class Animation:
    """Frames of an animated WebP, which video decoders do not read.

    Args:
        path: The file.

    Attributes:
        rate: Frames per second, on average.
        length: Number of frames.
        is_live: False.
        missing: Empty; as for `Video`.

    Raises:
        InputError: If it cannot be decoded.
    """

    is_live, missing = False, ""

    def __init__(self, path: Path):
        read, animation = cv2.imdecodeanimation(np.frombuffer(path.read_bytes(), np.uint8)[None])
        if not read:
            raise InputError(f"{path}: expected an animated image, could not decode it")
        self._images = [np.ascontiguousarray(image[..., :3]) for image in animation.frames]
        durations_s = np.array(animation.durations, float) / 1000
        durations_s[durations_s <= 0] = UNTIMED_FRAME_S
        self._times_s = np.concatenate([[0.0], np.cumsum(durations_s)[:-1]])
        self.length = len(self._images)
        self.rate = self.length / durations_s.sum()

    def stop(self) -> None:
        """Do nothing: no frame is waited for."""

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames."""
        for number, (time_s, image) in enumerate(zip(self._times_s.tolist(), self._images, strict=True)):
            yield Frame(f"{number:06d}", time_s, image)


class Video:
    """Frames of a video file, a GIF, a webcam (its number or device), a pipe, or an address such as `rtsp://…`.

    A thread of its own decodes. Of a file each frame is yielded; of a camera the newest, however long the
    caller takes for one.

    Args:
        source: Which one.

    Attributes:
        rate: Frames per second.
        length: Number of frames that the file claims; None if it claims none.
        is_live: Whether it is a camera or a stream, whose frames cannot wait.
        missing: After the last frame: what went wrong, or an empty string.

    Raises:
        InputError: If it cannot be opened, or has no frame.
    """

    def __init__(self, source: str):
        self.source = printable_name(source)
        live = is_live(source)
        if not live and not Path(source).is_file():
            raise InputError(f"{self.source}: {NO_SUCH}")
        is_pipe = is_special(source) and Path(source).is_fifo()
        if live:
            # Only one backend may open a pipe: the next one would wait for another writer.
            backend = cv2.CAP_FFMPEG if is_pipe else cv2.CAP_ANY
            number = bool(CAMERA_NUMBER.fullmatch(source))
            opening = call_in_thread(lambda: _open(int(source) if number else source, backend))
            self._capture, opened, self._first = opening
        else:
            with library_path(source) as name:
                self._capture, opened, self._first = _open(name, cv2.CAP_ANY)
        if not opened:
            self._capture.release()
            kind = "a camera or stream that responds" if live else "a photo or video"
            raise InputError(f"{self.source}: expected {kind}, could not read it")
        rate = self._capture.get(cv2.CAP_PROP_FPS)
        self.rate = rate if 0 < rate < 1000 else DEFAULT_RATE
        count = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = count if count > 0 else None
        self.is_live = live and self.length is None and not is_pipe
        self.missing = ""
        self._stopped = False

    def stop(self) -> None:
        """End the frames, also from a signal handler that interrupts waiting for one."""
        self._stopped = True

    def __iter__(self) -> Iterator[Frame]:
        """Yield the frames, a few in memory at a time."""
        decoded: queue.Queue = queue.Queue(1 if self.is_live else READ_AHEAD)
        reader = threading.Thread(target=self._read, args=(decoded,), daemon=True)
        reader.start()

        def end() -> None:
            self.stop()
            with contextlib.suppress(queue.Empty):  # the reader may wait for space
                decoded.get_nowait()
            reader.join(STOP_PATIENCE_S)

        atexit.register(end)  # a process that ends while OpenCV decodes is aborted
        number, last_s = 0, -1 / self.rate
        try:
            while not self._stopped:
                try:
                    item = decoded.get(timeout=POLL_S)
                except queue.Empty:
                    continue
                if item is None:
                    self.missing = self._missing_after(number)
                    break
                image, time_s = item
                if not time_s > last_s:  # the stream has no times, or they repeat
                    time_s = last_s + 1 / self.rate
                last_s = time_s
                yield Frame(f"{number:06d}", time_s, image)
                number += 1
        finally:
            atexit.unregister(end)
            end()

    def _missing_after(self, number: int) -> str:
        """Say what went wrong if a source ended after some frames."""
        if self.is_live:
            return f"{self.source}: the camera stopped after {number} frame{'s' if number > 1 else ''}"
        if self.length and number < self.length:
            return f"{self.source}: {number} of {self.length} frames could be read"
        return ""

    def _read(self, decoded: queue.Queue) -> None:
        """Decode until the end, or until nobody takes the frames any more."""
        start, first_s, image, ok = time.monotonic(), self._position_s(), self._first, True
        try:
            while ok and not self._stopped:
                item = image, time.monotonic() - start if self.is_live else self._position_s() - first_s
                if self.is_live:
                    with contextlib.suppress(queue.Empty):  # nobody has taken the last one, which is old now
                        decoded.get_nowait()
                decoded.put(item)
                ok, image = self._capture.read()
        finally:
            self._capture.release()
            if not self._stopped:
                decoded.put(None)

    def _position_s(self) -> float:
        """Timestamp of the frame that was read last, in seconds; frame rates may vary."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000


def _open(name: str | int, backend: int) -> tuple[cv2.VideoCapture, bool, np.ndarray]:
    """Open a video and read its first frame."""
    capture = cv2.VideoCapture(name, backend)
    return capture, *capture.read()
