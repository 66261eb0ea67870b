"""Smoothing of poses over time."""

import math
from collections.abc import Sequence

import numpy as np

from fsanet_tf.detection.face_pose import FacePose, with_pose
from fsanet_tf.geometry.pose import wrap_degrees
from fsanet_tf.options import configuration, option

__all__ = ["PoseSmoother", "SmoothingConfig"]

MIN_CUTOFF_HZ = 1e-6  # lower ones would divide by zero


@configuration
class SmoothingConfig:
    """Constants of the One Euro filter.

    Raises:
        OptionError: If a constant is out of range.

    Example:
        >>> from fsanet_tf.prediction.smoothing import SmoothingConfig
        >>> SmoothingConfig(min_cutoff_hz=0.5).beta
        0.05
    """

    min_cutoff_hz: float = option(
        1.0, "Cutoff frequency for a still head; lower means less jitter.", low=MIN_CUTOFF_HZ
    )
    beta: float = option(
        0.05, "Increase of the cutoff with speed, in Hz per degree/s; higher means less lag.", low=0
    )
    speed_cutoff_hz: float = option(1.0, "Cutoff frequency of the speed estimate.", low=MIN_CUTOFF_HZ)


class OneEuroFilter:
    """Low-pass filter for angles whose cutoff rises with speed.

    Reference:
        Casiez, Roussel, Vogel: 1€ Filter, CHI 2012.
    """

    def __init__(self, config: SmoothingConfig):
        self._config = config
        self._time_s = 0.0
        self._angles: np.ndarray | None = None
        self._speed = np.zeros(0)

    def __call__(self, angles_deg: np.ndarray, time_s: float) -> np.ndarray:
        """Return the smoothed angles `(n,)` in degrees at a time in seconds, which must not decrease."""
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
    """Weight of the newest value in exponential smoothing at a cutoff frequency."""
    return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * elapsed_s))


class PoseSmoother:
    """Smooth the poses of tracked faces, with one One Euro filter per track.

    Args:
        config: Constants of the filter; default: `SmoothingConfig()`.

    Example:
        >>> from fsanet_tf.prediction.smoothing import PoseSmoother
        >>> smooth = PoseSmoother()
        >>> face = fsanet_tf.FacePose((0, 0, 9, 9), 1.0, yaw=10.0, pitch=0.0, roll=0.0, track=1)
        >>> smooth([face], time_s=0.0)[0].yaw
        10.0
    """

    def __init__(self, config: SmoothingConfig | None = None):
        self._config = config or SmoothingConfig()
        self._filters: dict[int, OneEuroFilter] = {}

    def __call__(self, faces: Sequence[FacePose], time_s: float) -> list[FacePose]:
        """Return the faces with smoothed poses, those without a track as they are.

        Filters of vanished tracks are dropped.
        """
        filters: dict[int, OneEuroFilter] = {}
        smoothed = []
        for face in faces:
            if face.track is not None:
                smooth = self._filters.get(face.track) or OneEuroFilter(self._config)
                smooth = filters.setdefault(face.track, smooth)
                face = with_pose(face, smooth(np.array(face.pose_deg), time_s))
            smoothed.append(face)
        self._filters = filters
        return smoothed
