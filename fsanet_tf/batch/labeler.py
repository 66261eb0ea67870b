"""One photo or video to the rows of the table: read, detect, crop, predict, in one thread."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np

import fsanet_tf
from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.folder import file_system
from fsanet_tf.batch.items import BYTES_COLUMN, Item
from fsanet_tf.batch.parts import Row
from fsanet_tf.detection.detectors import make_detector, resolve_detector
from fsanet_tf.errors import InputError, optional_dependencies
from fsanet_tf.io.images import decode_image, read_image
from fsanet_tf.networks.network import load_network
from fsanet_tf.prediction.estimate import FaceFinder
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sources import open_video


class Labeler:
    """Labels images one after the other.

    Args:
        config: How; its source and output are not used.

    Raises:
        InputError: If the network or the detector cannot be used.
    """

    def __init__(self, config: LabelConfig):
        network = load_network(config.network, num_threads=1, trust=config.trust)
        predictor = PosePredictor(network, config.margin_ratio, config.mirror)
        self._finder = FaceFinder(predictor, make_detector(config.detector))
        self._every_s = config.every_s
        self._about = about_of(config)

    def work(self, item: Item) -> list[Row]:
        """Return the rows of a photo or video: one per face, and one for an image without."""
        if item.is_video:
            rows = [row for frame, image in self._read_video(item.path) for row in self._label(image, frame)]
        else:
            rows = self._label(_read_photo(item), {})
        return [self._complete(item, row) for row in rows]

    def failure(self, item: Item, reason: str) -> Row:
        """Return the row of an image that could not be labeled."""
        return self._complete(item, {"error": reason.encode("utf-8", "backslashreplace").decode()})

    def _complete(self, item: Item, row: Row) -> Row:
        state = {"source": item.name, "source_bytes": item.size, "source_modified": item.modified_us}
        return {**state, **row, **self._about}

    def _read_video(self, path: str) -> Iterator[tuple[Row, np.ndarray]]:
        """Yield the frames of a video that are to be labeled, with their number and time."""
        due_s = 0.0
        for number, frame in enumerate(open_video(path)):
            if frame.time_s >= due_s:
                yield {"frame": number, "time_s": round(frame.time_s, 3)}, frame.image
                due_s = max(due_s + self._every_s, frame.time_s)

    def _label(self, image: np.ndarray, frame: Row) -> list[Row]:
        faces = self._finder.find(image)
        return [{**frame, "face": number, **face.row()} for number, face in enumerate(faces)] or [frame]


def about_of(config: LabelConfig) -> dict[str, str]:
    """Return what labels, as the table and the job name it."""
    return {
        "network": ",".join(config.network),
        "detector": resolve_detector(config.detector),
        "version": fsanet_tf.__version__,
    }


def _read_photo(item: Item) -> np.ndarray:
    """Read a photo: its bytes, a file, a Parquet file's row, or from a file system that pyarrow knows."""
    if item.content is not None:
        return decode_image(item.content, item.name)
    if item.row is not None:
        return decode_image(_read_row(item.path, item.row), item.name)
    if "://" not in item.path:
        return read_image(item.path)
    system, path = file_system(item.path)
    with system.open_input_stream(path) as stream:
        return decode_image(stream.read(), item.name)


def _read_row(path: str, row: int) -> bytes:
    with optional_dependencies():
        import pyarrow.parquet as pq
    metadata = pq.read_metadata(path)
    start = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row - start < count:
            return _row_group(path, group)[row - start].as_py() or b""
        start += count
    raise InputError(f"{path}: has no row {row}")


@functools.lru_cache(maxsize=2)
def _row_group(path: str, group: int) -> Any:
    """Read the images of a row group; neighboring rows are read next."""
    import pyarrow.parquet as pq

    return pq.ParquetFile(path).read_row_group(group, columns=[BYTES_COLUMN])[BYTES_COLUMN]
