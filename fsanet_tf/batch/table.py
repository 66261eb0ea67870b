"""The table of labels: its columns, and its rows as Arrow."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

from fsanet_tf.errors import optional_dependencies

with optional_dependencies():
    import pyarrow as pa

SCHEMA = pa.schema(
    [
        ("source", pa.string()),  # path or address of the photo or video
        ("frame", pa.int64()),  # number of the video's frame, from 0; null for a photo
        ("time_s", pa.float64()),  # time of that frame in seconds; null for a photo
        ("face", pa.int32()),  # number of the face in its image, from 0; null without faces
        ("left", pa.float64()),  # box of the detector in pixels
        ("top", pa.float64()),
        ("right", pa.float64()),
        ("bottom", pa.float64()),
        ("landmark_left", pa.float64()),  # estimated box around the landmarks, from which the crop is made
        ("landmark_top", pa.float64()),
        ("landmark_right", pa.float64()),
        ("landmark_bottom", pa.float64()),
        ("score", pa.float64()),  # confidence of the detector
        ("yaw", pa.float64()),  # degrees
        ("pitch", pa.float64()),
        ("roll", pa.float64()),
        ("uncertainty_deg", pa.float64()),  # expected geodesic error; null for a single network
        ("network", pa.string()),
        ("detector", pa.string()),
        ("version", pa.string()),  # of fsanet_tf
        ("error", pa.string()),  # why the image could not be labeled; null if it was
    ]
)
SECONDS = ("read", "detect", "pose")  # stages that are timed


@dataclasses.dataclass
class Counts:
    """What was labeled.

    Attributes:
        photos: Photos and videos.
        faces: Faces in them.
        failures: Photos and videos that could not be labeled.
        seconds: Time of all workers together, by stage.
    """

    photos: int = 0
    faces: int = 0
    failures: int = 0
    seconds: dict[str, float] = dataclasses.field(default_factory=lambda: dict.fromkeys(SECONDS, 0.0))

    def add(self, other: Counts) -> None:
        """Add the counts of another part."""
        self.photos += other.photos
        self.faces += other.faces
        self.failures += other.failures
        for stage, seconds in other.seconds.items():
            self.seconds[stage] += seconds


def as_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Build the table of rows, whose missing columns are null."""
    return pa.Table.from_pylist(list(rows), schema=SCHEMA)
