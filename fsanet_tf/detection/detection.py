"""A detected face, and how a detector's box relates to the landmark box that networks are trained on."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

__all__ = ["Detection", "Detector"]

Box = tuple[float, float, float, float]  # left, top, right, bottom in pixels


def intersection(a: Box, b: Box) -> float:
    """Compute the area that two boxes share, in pixels."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    return max(width, 0.0) * max(height, 0.0)


class Detection(NamedTuple):
    """A detected face.

    Attributes:
        box: left, top, right, bottom in pixels; it may extend beyond the frame.
        score: Confidence in [0, 1].
        landmark_box: Estimated box around the landmarks, from which networks are trained to crop; None:
            the same as `box`.
        track: Number of the face in a video; None: not tracked.

    Example:
        >>> fsanet_tf.Detection.from_xywh(10, 20, 100, 120).box
        (10, 20, 110, 140)
    """

    box: Box
    score: float = 1.0
    landmark_box: Box | None = None
    track: int | None = None

    @classmethod
    def from_xywh(cls, x: float, y: float, width: float, height: float, score: float = 1.0) -> Detection:
        """Build a detection from the left top corner and the size, in pixels."""
        return cls((x, y, x + width, y + height), score)


class Detector(Protocol):
    """A face detector: uint8 BGR frame `(height, width, 3)` in, detections out.

    Any function of that form is one; `make_detector` builds those of the package.

    Example:
        >>> def whole_frame(frame: np.ndarray) -> list[fsanet_tf.Detection]:
        ...     return [fsanet_tf.Detection((0, 0, frame.shape[1], frame.shape[0]))]
        >>> detect: fsanet_tf.Detector = whole_frame
    """

    def __call__(self, frame: np.ndarray, /) -> list[Detection]:
        """Return the faces of a frame."""
        ...
