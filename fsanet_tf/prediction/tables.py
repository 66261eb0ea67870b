"""Tables of faces, one line per face, as JSON Lines and CSV."""

import contextlib
import csv
import json
from collections.abc import Iterator, Sequence

from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.io.files import replace_when_done

FIELDS = (
    "frame", "time_s", "track", "left", "top", "right", "bottom", "score", "yaw", "pitch", "roll",
    "uncertainty_deg",
)  # fmt: skip


class Tables:
    """Write faces to the requested files."""

    def __init__(self, json_file, csv_file):
        self._json = json_file
        self._csv = csv.DictWriter(csv_file, FIELDS) if csv_file else None
        if self._csv:
            self._csv.writeheader()

    def add(self, frame: str, time_s: float, faces: Sequence[FacePose]) -> None:
        """Write a line per face of a photo or frame."""
        for face in faces:
            values = (
                frame,
                round(time_s, 3),
                face.track,
                *face.box,
                face.score,
                *face.pose_deg,
                face.uncertainty_deg,
            )
            row = dict(zip(FIELDS, values, strict=True))
            if self._json:
                self._json.write(json.dumps(row) + "\n")
            if self._csv:
                self._csv.writerow(row)


@contextlib.contextmanager
def open_tables(json_path: str | None, csv_path: str | None) -> Iterator[Tables]:
    """Open tables that are written atomically; None writes none."""
    with _open(json_path) as json_file, _open(csv_path) as csv_file:
        yield Tables(json_file, csv_file)


@contextlib.contextmanager
def _open(path: str | None):
    if path is None:
        yield None
        return
    with replace_when_done(path) as temporary, temporary.open("w", newline="") as file:
        yield file
