"""A detected face, and the protocol of face detectors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import numpy as np

from fsanet_tf.errors import InputError, one_line
from fsanet_tf.geometry.crop import Box

__all__ = ["Detection", "Detector"]


def intersection(a: Box, b: Box) -> float:
    """Compute the area that two boxes share, in square pixels."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


def overlap(a: Box, b: Box) -> float:
    """Compute the intersection over union of two boxes, in [0, 1]."""
    shared = intersection(a, b)
    if not shared:
        return 0.0
    return shared / (area(a) + area(b) - shared)


def area(box: Box) -> float:
    """Compute the area of a box, in square pixels."""
    return (box[2] - box[0]) * (box[3] - box[1])


def move(box: Box, by: tuple[float, float]) -> Box:
    """Shift a box by x and y pixels."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


def scaled_box(box: Box, scale: float) -> Box:
    """Convert a box from a frame to the frame enlarged by a factor."""
    return box[0] * scale, box[1] * scale, box[2] * scale, box[3] * scale


class Detection(NamedTuple):
    """A detected face.

    Attributes:
        box: Face box, the smallest box around the visible landmarks: left, top, right, bottom in pixels; it
            may extend beyond the frame.
        score: Confidence in [0, 1]; None: not detected in this frame, but tracked from an earlier one.
        track: Number of the face in a video; None: not tracked.

    Example:
        >>> fsanet_tf.Detection.from_xywh(10, 20, 100, 120).box
        (10, 20, 110, 140)
    """

    box: Box
    score: float | None = 1.0
    track: int | None = None

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float, score: float = 1.0) -> Detection:
        """Build a detection from the left top corner and the size, in pixels."""
        return cls((x, y, x + width, y + height), score)


def require_detections(name: str, found: Sequence[Detection]) -> list[Detection]:
    """Return detections with Python's own numbers.

    Args:
        name: Of their origin, for messages.
        found: The detections.

    Raises:
        InputError: If they are something else.
    """
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise InputError(f"{name}: expected a list of Detection, received {type(found).__name__}")
    return [_require_detection(name, face) for face in found]


def _require_detection(name: str, face: Detection) -> Detection:
    try:
        if not isinstance(face, Detection) or isinstance(face.box, str):
            raise TypeError
        left, top, right, bottom = (float(edge) for edge in face.box)
        return Detection(
            (left, top, right, bottom),
            None if face.score is None else float(face.score),
            None if face.track is None else int(face.track),
        )
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"{name}: expected a Detection with a box of four numbers, received {one_line(repr(face))}"
        ) from None


class Detector(Protocol):
    """A face detector: uint8 BGR frame `(height, width, 3)` in, detections out.

    Any function of that form is one and can be passed wherever the name of a detector is expected;
    `make_detector` builds those of the package.

    Example:
        >>> from fsanet_tf.detection.detection import Detector
        >>> def whole_frame(frame: np.ndarray) -> list[fsanet_tf.Detection]:
        ...     return [fsanet_tf.Detection((0, 0, frame.shape[1], frame.shape[0]))]
        >>> detect: Detector = whole_frame
    """

    def __call__(self, frame: np.ndarray, /) -> list[Detection]:
        """Return the faces of a frame."""
        ...
