"""One photo or video to the rows of the table: read, detect, crop, predict, in one thread."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np

import fsanet_tf
from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.items import BYTES_COLUMN, Item
from fsanet_tf.batch.table import Counts
from fsanet_tf.detection.detectors import make_detector, resolve_detector
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.images import decode_image, read_image
from fsanet_tf.networks.network import load_network
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sources import open_video

BOX = ("left", "top", "right", "bottom")


class Labeler:
    """Label images one after the other; a worker makes one and keeps it.

    Args:
        config: How.

    Attributes:
        counts: What this labeler has labeled so far.

    Raises:
        InputError: If the network or the detector cannot be used.
    """

    def __init__(self, config: LabelerConfig):
        self.config = config
        self.counts = Counts()
        network = load_network(config.network, num_threads=1, trust=config.trust)
        self._predictor = PosePredictor(network, config.margin_ratio, config.mirror)
        detector = resolve_detector(config.detector)
        self._detect = make_detector(detector)
        self._about = {
            "network": config.network,
            "detector": detector,
            "version": fsanet_tf.__version__,
        }

    def label(self, item: Item) -> list[dict[str, Any]]:
        """Return the rows of a photo or video: one per face, one for an image without, one for a failure."""
        self.counts.photos += 1
        try:
            frames = self._read_video(item.path) if item.is_video else self._read_photo(item)
            rows = [row for frame, image in frames for row in self._label_image(image, frame)]
        except (InputError, cv2.error, OSError, MemoryError) as error:
            return self._failure(item.name, error)
        return self._complete(item.name, rows)

    def fail(self, item: Item, reason: str) -> list[dict[str, Any]]:
        """Return the row of an image that could not be labeled."""
        self.counts.photos += 1
        return self._failure(item.name, reason)

    def label_bytes(self, name: str, content: bytes) -> list[dict[str, Any]]:
        """Return the rows of an encoded image."""
        self.counts.photos += 1
        try:
            rows = self._label_image(decode_image(content, name), {})
        except (InputError, cv2.error) as error:
            return self._failure(name, error)
        return self._complete(name, rows)

    def _failure(self, name: str, reason: Exception | str) -> list[dict[str, Any]]:
        self.counts.failures += 1
        return self._complete(name, [{"error": " ".join(str(reason).split())}])

    def _complete(self, name: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{"source": name, **row, **self._about} for row in rows]

    def _timed(self, stage: str, start: float) -> None:
        self.counts.seconds[stage] += time.perf_counter() - start

    def _read_photo(self, item: Item) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        start = time.perf_counter()
        if item.row is None and "://" not in item.path:
            image = read_image(item.path)
        else:
            image = decode_image(_read_bytes(item), item.name)
        self._timed("read", start)
        yield {}, image

    def _read_video(self, path: str) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
        """Yield the frames of a video that are to be labeled, with their number and time."""
        start, due_s = time.perf_counter(), 0.0
        for number, frame in enumerate(open_video(path)):
            if frame.time_s >= due_s:
                self._timed("read", start)
                yield {"frame": number, "time_s": round(frame.time_s, 3)}, frame.image
                start, due_s = time.perf_counter(), max(due_s + self.config.every_s, frame.time_s)

    def _label_image(self, image: np.ndarray, frame: dict[str, Any]) -> list[dict[str, Any]]:
        start = time.perf_counter()
        detections = self._detect(image)
        self._timed("detect", start)
        start = time.perf_counter()
        faces = self._predictor.predict(image, detections)
        self._timed("pose", start)
        self.counts.faces += len(faces)
        rows = []
        for number, face in enumerate(faces):
            landmark_box = detections[face.index].landmark_box or face.box
            rows.append(
                {
                    **frame,
                    "face": number,
                    **dict(zip(BOX, face.box, strict=True)),
                    **{f"landmark_{edge}": value for edge, value in zip(BOX, landmark_box, strict=True)},
                    "score": face.score,
                    "yaw": face.yaw,
                    "pitch": face.pitch,
                    "roll": face.roll,
                    "uncertainty_deg": face.uncertainty_deg,
                }
            )
        return rows or [frame]


def _read_bytes(item: Item) -> bytes:
    """Read an encoded image from a Parquet file's row, or from a file system that pyarrow knows."""
    with optional_dependencies():
        import pyarrow.parquet as pq
        from pyarrow import fs
    if item.row is None:
        system, path = fs.FileSystem.from_uri(item.path)
        with system.open_input_stream(path) as stream:
            content: bytes = stream.read()
        return content
    metadata = pq.read_metadata(item.path)
    row = item.row
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < count:
            return _row_group(item.path, group)[row].as_py() or b""
        row -= count
    raise InputError(f"{item.path}: has no row {item.row}")


@functools.lru_cache(maxsize=2)
def _row_group(path: str, group: int) -> Any:
    """Read the images of a row group; neighboring rows are read next."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group, columns=[BYTES_COLUMN])[BYTES_COLUMN]
