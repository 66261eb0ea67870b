"""The options of `fsanet predict`."""

from __future__ import annotations

from fsanet_tf.detection.detectors import list_detectors
from fsanet_tf.drawing.poses import STYLES
from fsanet_tf.errors import OptionError
from fsanet_tf.io.images import ASTRONAUT
from fsanet_tf.networks.pretrained import DEFAULT
from fsanet_tf.options import configuration, option
from fsanet_tf.prediction.predictor import MAX_REFINE
from fsanet_tf.prediction.sources import as_source


@configuration
class PredictionConfig:
    """Options of `fsanet predict`: source, network, detector, outputs.

    Raises:
        OptionError: If an option is invalid.

    Example:
        >>> from fsanet_tf.prediction.config import PredictionConfig
        >>> PredictionConfig(source="talk.mp4", smooth=True).network
        ('strided',)
    """

    source: str = option(
        ASTRONAUT, "Photo, folder of photos, video, GIF, number of a webcam, or address such as rtsp://…."
    )
    recursive: bool = option(False, "Search a folder's subfolders too.")
    network: tuple[str, ...] = option(
        (DEFAULT,), "Network file, SavedModel folder, or shipped name; several are averaged."
    )
    trust: bool = option(False, "Load files that could do more than compute; see docs/safety.md.")
    detector: str = option("auto", "Face detector.", choices=lambda: ["auto", *list_detectors()])
    margin_ratio: float | None = option(
        None, "Share of the face box added on each side; by default the network's own.", low=0
    )
    mirror: bool = option(False, "Average with the mirrored crops: more accurate, but takes twice as long.")
    refine: int = option(
        0, "How often a network that localizes corrects the boxes of photos first.", low=0, high=MAX_REFINE
    )
    any_orientation: bool = option(False, "Try four orientations of each photo and choose the most certain.")
    every: int | None = option(
        None,
        "Detect faces in every n-th frame of a video. By default every half second if the network localizes, "
        "else in each frame.",
        low=1,
    )
    hold_frames: int | None = option(
        None,
        "Number of frames of a video for which a lost face is kept. By default 3 if the network localizes, "
        "else 15.",
        low=0,
    )
    smooth: bool = option(False, "Smooth each track's angles (One Euro filter).")
    field_of_view_deg: float | None = option(
        None,
        "Horizontal field of view of the camera; corrects the poses of faces away from the center and adds "
        "their positions to the tables.",
        low=1,
        high=179,
    )
    output: str | None = option(
        None, "Image, video or folder to write; by default SOURCE_poses in the current folder."
    )
    draw: bool = option(True, "Write drawings; --nodraw writes tables only.")
    style: str = option("axes", "How poses are drawn.", choices=STYLES)
    show_uncertainty: bool = option(
        False, "Write expected errors into the drawing, if the network predicts them."
    )
    show_rate: bool = option(False, "Write the number of frames per second into the drawing of a video.")
    show: bool = option(False, "Show a window; press q to stop.")
    csv: str | None = option(None, "Also write a CSV line per face to this file.")
    json: str | None = option(None, "Also write a JSON line per face to this file.")
    time_sequence: str | None = option(
        None, "Also plot each person's angles over time to this image (video only)."
    )

    def __post_init__(self):
        if self.output is not None and not self.draw:
            raise OptionError("output", "expected none without drawings")
        if not self.source:
            raise OptionError("source", "expected a photo, folder, video or camera, received an empty text")
        object.__setattr__(self, "source", as_source(self.source))
