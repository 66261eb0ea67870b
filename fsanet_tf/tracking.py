"""Who is who from frame to frame, and poses that do not tremble."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from fsanet_tf.detectors import Box, Detection
from fsanet_tf.pose import wrap_degrees
from fsanet_tf.predictor import FacePose

MIN_OVERLAP = 0.2  # intersection over union at which a box is still the same face


def overlap(a: Box, b: Box) -> float:
    """Intersection over union of two boxes, in [0, 1]."""
    width = min(a[2], b[2]) - max(a[0], b[0])
    height = min(a[3], b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return 0.0
    areas = ((box[2] - box[0]) * (box[3] - box[1]) for box in (a, b))
    return width * height / (sum(areas) - width * height)


def move(box: Box, by: tuple[float, float]) -> Box:
    return box[0] + by[0], box[1] + by[1], box[2] + by[0], box[3] + by[1]


@dataclasses.dataclass
class Track:
    """A face over time: its last detection, when that was, and how it moves, in pixels a frame."""

    number: int
    face: Detection
    frame: int
    velocity: tuple[float, float] = (0.0, 0.0)

    def at(self, frame: int) -> Detection:
        """The face as it would be in a later frame, if it went on as it did."""
        by = (self.velocity[0] * (frame - self.frame), self.velocity[1] * (frame - self.frame))
        landmarks = None if self.face.landmark_box is None else move(self.face.landmark_box, by)
        return self.face._replace(box=move(self.face.box, by), landmark_box=landmarks, track=self.number)


class Tracker:
    """Gives faces numbers that last.

    A detection belongs to the track that it overlaps most. Between detections a face moves on as it
    did; where a detection misses it, it stays where it was for `hold_frames` and is then dropped, as
    its box must not serve for ever.

    Args:
        hold_frames: frames a face may be missed.
    """

    def __init__(self, hold_frames: int):
        self.hold_frames = hold_frames
        self.tracks: list[Track] = []
        self._count = 0

    def update(self, frame: int, found: Sequence[Detection]) -> list[Detection]:
        """Take in what was detected in a frame; give the faces to show, numbered."""
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
        """The faces to show in a frame in which nothing was looked for."""
        self.tracks = [track for track in self.tracks if frame - track.frame <= self.hold_frames]
        return [track.at(frame) for track in self.tracks]

    @staticmethod
    def _follow(track: Track, frame: int, face: Detection) -> None:
        old, new, frames = track.face.box, face.box, frame - track.frame
        across = (new[0] + new[2] - old[0] - old[2]) / 2
        down = (new[1] + new[3] - old[1] - old[3]) / 2
        track.velocity = (across / frames, down / frames)
        track.face, track.frame = face, frame


@dataclasses.dataclass(frozen=True)
class SmoothingConfig:
    """The One Euro filter's constants.

    Attributes:
        min_cutoff_hz: cut-off of a head that is still; lower is calmer.
        beta: how much the cut-off rises with speed, in Hz per degree/s; higher lags less.
        speed_cutoff_hz: cut-off of the speed's own estimate.
    """

    min_cutoff_hz: float = 1.0
    beta: float = 0.05
    speed_cutoff_hz: float = 1.0


class OneEuroFilter:
    """Smooths angles over time, strongly when they rest and little when they move.

    Reference:
        Casiez, Roussel, Vogel: 1€ Filter, CHI 2012.
    """

    def __init__(self, config: SmoothingConfig):
        self._config = config
        self._time_s = 0.0
        self._angles: np.ndarray | None = None
        self._speed = np.zeros(0)

    def __call__(self, angles_deg: np.ndarray, time_s: float) -> np.ndarray:
        """The smoothed angles `(n,)` in degrees, at a time in seconds that does not go back."""
        if self._angles is None:
            self._angles, self._speed = angles_deg.astype(float), np.zeros(len(angles_deg))
        elif time_s > self._time_s:
            elapsed = time_s - self._time_s
            step = wrap_degrees(angles_deg - self._angles)
            self._speed += _weight(self._config.speed_cutoff_hz, elapsed) * (step / elapsed - self._speed)
            cutoff = self._config.min_cutoff_hz + self._config.beta * np.abs(self._speed)
            self._angles = wrap_degrees(self._angles + _weight(cutoff, elapsed) * step)
        self._time_s = time_s
        return self._angles


def _weight(cutoff_hz, elapsed_s: float):
    """Weight of the newest value in exponential smoothing at a cut-off frequency."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * elapsed_s))


class PoseSmoother:
    """One filter a track."""

    def __init__(self, config: SmoothingConfig | None = None):
        self._config = config or SmoothingConfig()
        self._filters: dict[int | None, OneEuroFilter] = {}

    def __call__(self, faces: Sequence[FacePose], time_s: float) -> list[FacePose]:
        """Faces with smoothed poses; filters of tracks that are gone are dropped."""
        filters = {f.track: self._filters.get(f.track) or OneEuroFilter(self._config) for f in faces}
        self._filters = filters
        smoothed = []
        for face in faces:
            yaw, pitch, roll = filters[face.track](np.array(face.pose_deg), time_s).tolist()
            smoothed.append(dataclasses.replace(face, yaw=yaw, pitch=pitch, roll=roll))
        return smoothed
