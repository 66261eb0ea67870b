"""The faces of a video or camera, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsanet_tf.detection.detection import Detector
from fsanet_tf.errors import InputError
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.pose_tracker import PoseTracker
from fsanet_tf.prediction.predictor import Networks
from fsanet_tf.prediction.sources import Frame, as_source, open_video, photo_paths

__all__ = ["track"]


class TrackedVideo:
    """Iterator of the frames of a video with their faces.

    Attributes:
        rate: Frames per second of the source.
        length: Number of frames that a file claims; None for a camera.
        missing: After the last frame: what could not be read, or an empty string.
    """

    def __init__(self, source: str | Path, network: Networks, detector: str | Detector, **options: Any):
        source = as_source(source)
        if photo_paths(source) is not None:
            raise InputError(f"{source}: expected a video or camera, received photos (see estimate)")
        self._video = open_video(source)  # one that cannot be read is reported before anything is loaded
        self._tracker = PoseTracker(network, detector, live=self._video.is_live, **options)
        self._frames = iter(self._video)
        self.rate, self.length = self._video.rate, self._video.length

    @property
    def missing(self) -> str:
        return self._video.missing

    def stop(self) -> None:
        """End the frames, also from a signal handler that interrupts waiting for one."""
        self._video.stop()

    def __iter__(self) -> Iterator[Frame]:
        return self

    def __next__(self) -> Frame:
        frame = next(self._frames)
        return frame._replace(faces=self._tracker(frame.image, frame.time_s))


def track(
    source: str | Path, network: Networks = DEFAULT, detector: str | Detector = "auto", **options: Any
) -> TrackedVideo:
    """Track the faces of a video or camera.

    Nothing is written: attach a `VideoSink`, a `TableSink` or a `TimeSequence`. A file yields every frame,
    with the same faces in each run; a camera or stream yields its newest frame until it stops.

    Args:
        source: Video or GIF file, number or device of a camera, pipe, or address such as `rtsp://…`.
        network, detector: As in `estimate`.
        options: Further arguments of `PoseTracker`.

    Returns:
        Iterator of `Frame`, with the attributes `rate` (frames per second), `length` (number of frames, or
        None) and, after the last frame, `missing` (what could not be read).

    Raises:
        InputError: If the source, the network or the detector cannot be used.

    Example:
        >>> with fsanet_tf.VideoSink("clip.mp4", rate=25) as video:
        ...     video.write(fsanet_tf.read_image("photo.jpg"))
        >>> for frame in fsanet_tf.track("clip.mp4", detector="haar"):
        ...     for face in frame.faces:
        ...         assert abs(face.yaw) < 90
    """
    return TrackedVideo(source, network, detector, **options)
