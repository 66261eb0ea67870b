"""Head poses of a whole source: photo, folder, video or camera, drawn and tabulated."""

from __future__ import annotations

import dataclasses
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from fsanet_tf.detection.detection import Detector
from fsanet_tf.detection.detectors import make_detector
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.detection.tracking import Tracker
from fsanet_tf.drawing.faces import draw_faces, face_numbers
from fsanet_tf.drawing.poses import write_text
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.camera import camera_matrix
from fsanet_tf.io.files import replace_when_done
from fsanet_tf.io.images import ASTRONAUT, read_image, write_image
from fsanet_tf.networks.network import load_network
from fsanet_tf.prediction.outputs import default_output, drawing_path, require_other_outputs
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.smoothing import PoseSmoother
from fsanet_tf.prediction.sources import Animation, Frame, Video, open_video, photo_paths
from fsanet_tf.prediction.tables import Tables, open_tables
from fsanet_tf.prediction.time_sequence import Sequences
from fsanet_tf.prediction.video_writer import VIDEO_SUFFIXES, VideoWriter

__all__ = ["FramePoses", "PredictionConfig", "predict"]

RATE_FRAMES = 20  # over which the displayed frame rate is averaged

Report = Callable[[str], None]


@dataclasses.dataclass(frozen=True)
class PredictionConfig:
    """What to predict and what to write.

    Attributes:
        source: Photo, folder of photos, video, GIF, number of a webcam, or address such as `rtsp://…`.
        recursive: Whether to search a folder's subfolders too.
        network: Path of a network, or one of `list_networks()`.
        detector: One of `list_detectors()`, or `auto`.
        margin_ratio: Share of the landmark box added on each side; None: the network's own.
        mirror: Whether to average with the predictions for mirrored crops.
        trust: Whether to load a network that could do more than compute (see `load_network`).
        output: Image, video or folder to write; None: named after the source, in the current folder.
        field_of_view_deg: Horizontal field of view of the camera, which corrects the poses of faces away
            from the center; None: poses as the crops show them.
        json, csv: Tables to write, one line per face; None: none.
        time_sequence: Plot of each person's angles over time to write (video only); None: none.
        every: Detect faces in every n-th frame of a video; in between they are tracked.
        hold_frames: For how many frames a face is kept that the detector misses.
        smooth: Whether to smooth the angles of each track (One Euro filter).
        style: How poses are drawn: `axes`, `cube` or `both`.
        uncertainty: Whether the drawing shows the expected errors of a fusion's faces.
        show: Whether to show a window; q closes it.

    Example:
        >>> fsanet_tf.PredictionConfig(source="talk.mp4", smooth=True).network
        'fusion'
    """

    source: str = ASTRONAUT
    recursive: bool = False
    network: str = "fusion"
    detector: str = "auto"
    margin_ratio: float | None = None
    mirror: bool = False
    trust: bool = False
    output: str | None = None
    field_of_view_deg: float | None = None
    json: str | None = None
    csv: str | None = None
    time_sequence: str | None = None
    every: int = 1
    hold_frames: int = 15
    smooth: bool = False
    style: str = "axes"
    uncertainty: bool = False
    show: bool = False


class FramePoses(NamedTuple):
    """The faces of a photo or of a frame of a video.

    Attributes:
        name: File of the photo, or number of the frame.
        time_s: Time of the frame in seconds; 0 for a photo.
        faces: The faces with their poses.

    Example:
        >>> fsanet_tf.FramePoses("photo.jpg", 0.0, []).faces
        []
    """

    name: str
    time_s: float
    faces: list[FacePose]


def predict(config: PredictionConfig, report: Report | None = None) -> list[FramePoses]:
    """Estimate the head poses of a photo, a folder, a video or a camera; write drawings and tables.

    Ctrl-C ends a video or camera early and keeps what was drawn. Photos of a folder that cannot be read
    are reported and left out.

    Args:
        config: What to predict and what to write.
        report: Receives a line per photo and per problem; with it, a progress bar is shown.

    Returns:
        The faces of every photo or frame; for a camera, only if there is a time sequence.

    Raises:
        InputError: If the source, the network or the detector cannot be used, or an output not be written.

    Example:
        >>> frames = fsanet_tf.predict(fsanet_tf.PredictionConfig(source="photo.jpg", detector="haar"))
        >>> len(frames[0].faces)
        1
    """
    photos = photo_paths(config.source, config.recursive)
    output = Path(config.output) if config.output else default_output(config.source, photos)
    tables_and_plots = [config.json, config.csv, config.time_sequence]
    require_other_outputs(config.source, photos or [], output, tables_and_plots)
    if photos is None:
        if output.suffix.lower() not in VIDEO_SUFFIXES:
            raise InputError(f"{output}: cannot write such a video (expected {', '.join(VIDEO_SUFFIXES)})")
        video = open_video(config.source)  # one that cannot be read is reported before anything is loaded
    elif config.time_sequence:
        raise InputError("--time_sequence: expected a video, received photos")
    predictor = PosePredictor(
        load_network(config.network, trust=config.trust), config.margin_ratio, config.mirror
    )
    detect = make_detector(config.detector)
    with open_tables(config.json, config.csv) as tables:
        if photos is None:
            return _predict_video(config, video, predictor, detect, output, tables, report)
        return _predict_photos(config, photos, predictor, detect, output, tables, report)


def _predict_photos(
    config: PredictionConfig,
    photos: list[Path],
    predictor: PosePredictor,
    detect: Detector,
    output: Path,
    tables: Tables,
    report: Report | None,
) -> list[FramePoses]:
    """Draw each photo; one that cannot be read is reported and the rest is done."""
    results, unreadable = [], []
    for photo in tqdm(photos, unit="photo", disable=report is None or len(photos) == 1):
        try:
            image = read_image(photo)
        except InputError as error:
            unreadable.append(error)
            continue
        faces = predictor.predict(image, detect(image), _camera(config, image))
        result = FramePoses(str(photo), 0.0, faces)
        results.append(result)
        name = photo.relative_to(config.source) if Path(config.source).is_dir() else photo.name
        tables.add(str(name), 0.0, result.faces)
        if report:
            for line in describe(result):
                report(line)
        drawn = image.copy()
        draw_faces(drawn, result.faces, config.style, config.uncertainty)
        write_image(drawing_path(config.source, photo, output), drawn)
        if config.show:
            _show(drawn, wait_ms=0)
    if not results:
        raise unreadable[0]
    if report:
        for reason in unreadable:
            report(f"left out: {reason}")
        report(f"drawn: {output}")
    return results


def _camera(config: PredictionConfig, image: np.ndarray) -> np.ndarray | None:
    if config.field_of_view_deg is None:
        return None
    return camera_matrix(config.field_of_view_deg, image.shape)


def describe(result: FramePoses) -> list[str]:
    """Describe the faces of a photo, one line each, numbered as in the drawing."""
    if not result.faces:
        return [f"{result.name}: no face found"]
    return [
        f"{result.name}{f', face {number}' if number else ''}: "
        f"yaw {face.yaw:+.1f}°  pitch {face.pitch:+.1f}°  roll {face.roll:+.1f}°"
        for number, face in zip(face_numbers(result.faces), result.faces, strict=True)
    ]


def track_poses(
    config: PredictionConfig, predictor: PosePredictor, detect: Detector
) -> Callable[[int, Frame], list[FacePose]]:
    """Return a function from the next frame of a video and its number to its tracked faces."""
    tracker = Tracker(config.hold_frames)
    smooth = PoseSmoother() if config.smooth else None

    def poses_of(number: int, frame: Frame) -> list[FacePose]:
        if number % config.every == 0:
            detections = tracker.update(number, detect(frame.image))
        else:
            detections = tracker.at(number)
        faces = predictor.predict(frame.image, detections, _camera(config, frame.image))
        return smooth(faces, frame.time_s) if smooth else faces

    return poses_of


def _predict_video(
    config: PredictionConfig,
    video: Video | Animation,
    predictor: PosePredictor,
    detect: Detector,
    output: Path,
    tables: Tables,
    report: Report | None,
) -> list[FramePoses]:
    poses_of, rates = track_poses(config, predictor, detect), _frame_rates()
    results: list[FramePoses] = []
    keeps_results = video.length is not None or config.time_sequence  # a camera may run for days
    with replace_when_done(output) as temporary, VideoWriter(temporary, output, video.rate) as writer:
        try:
            progress = tqdm(video, total=video.length, unit="frame", disable=report is None)
            for number, frame in enumerate(progress):
                result = FramePoses(frame.name, frame.time_s, poses_of(number, frame))
                if keeps_results:
                    results.append(result)
                tables.add(*result)
                drawn = frame.image.copy()
                draw_faces(drawn, result.faces, config.style, config.uncertainty)
                write_text(drawn, f"{next(rates):.0f} frames/s", (6, 20), 14)
                writer.write(drawn)
                if config.show and _show(drawn, wait_ms=1):
                    break
        except KeyboardInterrupt:
            if report:
                report("stopped; keeping what was drawn")
    if config.time_sequence:
        sequences = Sequences()
        for result in results:
            sequences.add(result.time_s, result.faces)
        sequences.draw(Path(config.time_sequence))
    if report:
        if video.missing:
            report(f"left out: {video.missing}")
        report(f"drawn: {output}")
    return results


def _frame_rates() -> Iterator[float]:
    """Frames per second, averaged over the last frames."""
    starts = deque([time.perf_counter()], RATE_FRAMES)
    while True:
        starts.append(time.perf_counter())
        yield (len(starts) - 1) / (starts[-1] - starts[0])


def _show(image: np.ndarray, wait_ms: int) -> bool:
    """Show a window; return whether q was pressed."""
    try:
        cv2.imshow("fsanet_tf", image)
    except cv2.error as error:
        raise InputError("--show: there is no display to show a window on") from error
    return cv2.waitKey(wait_ms) & 0xFF == ord("q")
