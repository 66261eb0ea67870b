"""Tracking of face boxes from frame to frame."""

import dataclasses
from collections.abc import Sequence

from fsanet_tf.detection.detection import Box, Detection, intersection

__all__ = ["Tracker"]

MIN_OVERLAP = 0.2  # intersection over union at which a box is still the same face


def overlap(a: Box, b: Box) -> float:
    """Compute the intersection over union of two boxes, in [0, 1]."""
    shared = intersection(a, b)
    if not shared:
        return 0.0
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return shared / (sum(areas) - shared)


def move(box: Box, by: tuple[float, float]) -> Box:
    """Shift a box by x and y pixels."""
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


@dataclasses.dataclass
class Track:
    """A face over time: its last detection, the frame of it, and its velocity in pixels per frame."""

    number: int
    face: Detection
    frame: int
    velocity: tuple[float, float] = (0.0, 0.0)

    def at(self, frame: int) -> Detection:
        """Extrapolate the face to a later frame at constant velocity."""
        by = (self.velocity[0] * (frame - self.frame), self.velocity[1] * (frame - self.frame))
        landmarks = None if self.face.landmark_box is None else move(self.face.landmark_box, by)
        return self.face._replace(box=move(self.face.box, by), landmark_box=landmarks, track=self.number)


class Tracker:
    """Assign persistent numbers to faces.

    A detection belongs to the track that it overlaps most. Between detections a face moves at constant
    velocity. A face that the detector misses stays where it was for `hold_frames` frames and is then
    dropped.

    Args:
        hold_frames: Number of frames for which a face may be missed.

    Example:
        >>> tracker = fsanet_tf.Tracker(hold_frames=15)
        >>> [face.track for face in tracker.update(0, [fsanet_tf.Detection((0, 0, 9, 9))])]
        [1]
    """

    def __init__(self, hold_frames: int):
        self.hold_frames = hold_frames
        self.tracks: list[Track] = []
        self._count = 0

    def update(self, frame: int, found: Sequence[Detection]) -> list[Detection]:
        """Match the detections of a frame to the tracks; return the numbered faces."""
        pairs = [
            (overlap(track.at(frame).box, face.box), t, f)
            for t, track in enumerate(self.tracks)
            for f, face in enumerate(found)
        ]
        matched: dict[int, int] = {}
        for shared, t, f in sorted(pairs, reverse=True):
            if shared >= MIN_OVERLAP and t not in matched and f not in matched.values():
                matched[t] = f
        for t, track in enumerate(self.tracks):
            if t in matched:
                self._follow(track, frame, found[matched[t]])
            else:
                track.velocity = (0.0, 0.0)
        for f, face in enumerate(found):
            if f not in matched.values():
                self._count += 1
                self.tracks.append(Track(self._count, face, frame))
        return self.at(frame)

    def at(self, frame: int) -> list[Detection]:
        """Return the extrapolated faces of a frame in which the detector did not run."""
        self.tracks = [track for track in self.tracks if frame - track.frame <= self.hold_frames]
        return [track.at(frame) for track in self.tracks]

    @staticmethod
    def _follow(track: Track, frame: int, face: Detection) -> None:
        old, new, frames = track.face.box, face.box, frame - track.frame
        across = (new[0] + new[2] - old[0] - old[2]) / 2
        down = (new[1] + new[3] - old[1] - old[3]) / 2
        track.velocity = (across / frames, down / frames)
        track.face, track.frame = face, frame
