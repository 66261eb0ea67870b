"""The faces of a video or camera, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fsanet_tf.detection.detection import Detector
from fsanet_tf.networks.network import Networks
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.prediction.pose_tracker import PoseTracker
from fsanet_tf.prediction.sources import Animation, Frame, Video, open_video

__all__ = ["track"]


class TrackedVideo:
    """Iterator of the frames of a video with their faces; one that fails does not end the others.

    Attributes:
        rate: Frames per second of the source.
        length: Number of frames that a file claims; None for a camera.
        missing: After the last frame: what could not be read, or an empty string.
        stop: Ends the frames, also from a signal handler that interrupts waiting for one.
    """

    def __init__(self, video: Video | Animation, tracker: PoseTracker):
        self._video, self._frames, self._tracker = video, iter(video), tracker
        self.rate, self.length, self.stop = video.rate, video.length, video.stop

    @property
    def missing(self) -> str:
        return self._video.missing

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
    video = open_video(source)  # one that cannot be read is reported before anything is loaded
    return TrackedVideo(video, PoseTracker(network, detector, live=video.is_live, **options))
