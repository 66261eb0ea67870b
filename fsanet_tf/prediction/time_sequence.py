"""Yaw, pitch and roll over time, one panel per person (the original's `time_demo`)."""

from collections import defaultdict
from pathlib import Path

import numpy as np

from fsanet_tf.detection.face_pose import FacePose

MIN_SHARE = 0.1  # of the longest track; shorter ones are spurious detections


class Sequences:
    """The angles of every track of a video, three floats per frame."""

    def __init__(self) -> None:
        self._times: dict[int | None, list[float]] = defaultdict(list)
        self._poses: dict[int | None, list[tuple[float, float, float]]] = defaultdict(list)

    def add(self, time_s: float, faces: list[FacePose]) -> None:
        for face in faces:
            self._times[face.track].append(time_s)
            self._poses[face.track].append(face.pose_deg)

    def draw(self, path: Path) -> None:
        """Write the plot; nothing if there was no face."""
        longest = max(map(len, self._times.values()), default=0)
        kept = [track for track, times in self._times.items() if len(times) >= MIN_SHARE * longest]
        if kept:
            from fsanet_tf.drawing.plots import draw_angles_over_time

            draw_angles_over_time(
                {f"person {t}": (np.array(self._times[t]), np.array(self._poses[t])) for t in kept}, path
            )
