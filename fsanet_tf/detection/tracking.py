"""Tracking of detected boxes from frame to frame, for networks that do not localize."""

import dataclasses
from collections.abc import Sequence

from fsanet_tf.detection.detection import Detection, move, overlap

__all__ = ["Tracker"]

MIN_OVERLAP = 0.2  # intersection over union at which a box is still the same face


@dataclasses.dataclass
class Track:
    """A face over time: its last detection, the frame of it, and its velocity in pixels per frame."""

    number: int
    face: Detection
    frame: int
    velocity: tuple[float, float] = (0.0, 0.0)

    def at(self, frame: int) -> Detection:
        """Extrapolate the face to a later frame at constant velocity, where it has no score."""
        elapsed = frame - self.frame
        by = (self.velocity[0] * elapsed, self.velocity[1] * elapsed)
        return Detection(move(self.face.box, by), self.face.score if elapsed == 0 else None, self.number)


class Tracker:
    """Assign persistent numbers to faces.

    A detection belongs to the track that it overlaps most. Between detections a face moves at constant
    velocity. A face that the detector misses stays where it was for `hold_frames` frames and is then
    dropped.

    Args:
        hold_frames: Number of frames for which a face may be missed.

    Example:
        >>> from fsanet_tf.detection.tracking import Tracker
        >>> tracker = Tracker(hold_frames=15)
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
        old, new, elapsed = track.face.box, face.box, frame - track.frame
        if elapsed > 0:  # else the frame is updated again, and tells nothing of the velocity
            across = (new[0] + new[2] - old[0] - old[2]) / 2
            down = (new[1] + new[3] - old[1] - old[3]) / 2
            track.velocity = (across / elapsed, down / elapsed)
        track.face, track.frame = face, frame
