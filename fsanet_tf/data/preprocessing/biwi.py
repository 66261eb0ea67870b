"""BIWI Kinect Head Pose as crops and poses, by the paper's protocol 1 (all frames) or 2 (16/8 videos)."""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from fsanet_tf.data.preprocessing.parts import Part, PreprocessingReport, Problem, create_dataset
from fsanet_tf.detection.detectors import load_mtcnn
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import BIWI_CROP, IMAGE_SIZE, CropRule, crop_box, grow_box
from fsanet_tf.io.images import read_image

__all__ = ["BiwiSettings", "create_biwi"]

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom
FrameDetector = Callable[[Path, np.ndarray], list[tuple[PixelBox, float]]]  # of a frame and its path

MIN_CONFIDENCE = {1: 0.90, 2: 0.95}  # of MTCNN, by protocol
MAX_MOVE = 80  # pixels that the grown box's left may move from one frame to the next
NUM_TRAINING_VIDEOS = 16


@dataclasses.dataclass(frozen=True)
class BiwiSettings:
    """How the frames of a video become crops.

    Attributes:
        protocol: 1 drops a frame without an accepted face, 2 uses the last box.
        crop: How to crop around the detector's box.
        image_size: Side of the crops in pixels.
        detector: `mtcnn`, or `file`: `frame_NNNNN_box.txt` with left, top, right, bottom.

    Example:
        >>> fsanet_tf.BiwiSettings(protocol=2).crop.margin_ratio
        0.4
    """

    protocol: int = 1
    crop: CropRule = BIWI_CROP
    image_size: int = IMAGE_SIZE
    detector: str = "mtcnn"


def read_pose(path: Path) -> np.ndarray:
    """Read yaw, pitch, roll in degrees from a `frame_NNNNN_pose.txt`: three rows of R, then the translation.

    Raises:
        InputError: If the file cannot be read or does not contain a rotation.
    """
    try:
        numbers = [float(word) for word in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: expected three rows of a rotation ({error})") from error
    if len(numbers) < 9 or not np.isfinite(numbers).all():
        raise InputError(f"{path.name}: expected three rows of a rotation, received {len(numbers)} numbers")
    return pose_from_biwi_rotation(np.array(numbers[:9]).reshape(3, 3))


def pose_from_biwi_rotation(rotation: np.ndarray) -> np.ndarray:
    """Convert a rotation `(3, 3)` as BIWI writes it to yaw, pitch, roll in degrees `(3,)`.

    The original's convention, kept for its BIWI tables; it differs from 300W-LP's away from the front.
    """
    r = rotation.T
    roll = -np.arctan2(r[1, 0], r[0, 0])
    yaw = -np.arctan2(-r[2, 0], np.hypot(r[2, 1], r[2, 2]))
    pitch = np.arctan2(r[2, 1], r[2, 2])
    return np.rad2deg([yaw, pitch, roll])


def mtcnn_detector(protocol: int) -> FrameDetector:
    """Build MTCNN with the protocol's confidence; it receives BGR, as in the original."""
    network = load_mtcnn()

    def detect(_: Path, frame: np.ndarray) -> list[tuple[PixelBox, float]]:
        faces = []
        for face in network.detect_faces(frame) or []:
            left, top, width, height = face["box"]
            if face["confidence"] > MIN_CONFIDENCE[protocol]:
                faces.append(((left, top, left + width, top + height), float(face["confidence"])))
        return faces

    return detect


def file_detector(frame_path: Path, _: np.ndarray) -> list[tuple[PixelBox, float]]:
    """Read the box in the file next to a frame, for frames in which MTCNN finds nothing."""
    path = frame_path.with_name(frame_path.name.replace("_rgb.png", "_box.txt"))
    try:
        left, top, right, bottom = (int(float(word)) for word in path.read_text().split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: expected left, top, right and bottom ({error})") from error
    return [((left, top, right, bottom), 1.0)]


def choose_box(boxes: list[PixelBox], frame_shape: tuple[int, ...]) -> PixelBox:
    """Choose the grown box whose left and top are nearest ⅔ of the frame's width and height.

    The distance is the sum of both differences, in pixels.
    """
    height, width = frame_shape[:2]
    return min(boxes, key=lambda box: abs(box[0] - width * 2 / 3) + abs(box[1] - height * 2 / 3))


def accepted_boxes(
    frames: Iterator[tuple[Path, np.ndarray]], detect: FrameDetector, settings: BiwiSettings
) -> Iterator[tuple[Path, np.ndarray, PixelBox | None]]:
    """Yield the grown box of each frame, or None if the protocol drops the frame.

    A box whose left moved by 80 pixels or more from the last accepted frame's is rejected.
    """
    last: PixelBox | None = None
    for path, frame in frames:
        grown = [grow_box(box, settings.crop, frame.shape) for box, _ in detect(path, frame)]
        box = choose_box(grown, frame.shape) if grown else None
        if box is not None and last is not None and abs(box[0] - last[0]) >= MAX_MOVE:
            box = None
        if box is None and settings.protocol == 2:
            box = last
        if box is not None:
            last = box
        yield path, frame, box


def crop_video(video: Path, settings: BiwiSettings, detect: FrameDetector | None = None) -> Part:
    """Crop all frames of one person's folder."""
    part = Part()
    if detect is None:
        detect = file_detector if settings.detector == "file" else mtcnn_detector(settings.protocol)

    def note(path: Path, reason: str) -> None:
        part.problems.append(Problem(f"{video.name}/{path.name}", reason))

    def readable_frames() -> Iterator[tuple[Path, np.ndarray]]:
        for path in video_frames(video):
            try:
                frame = read_image(path)
            except InputError as error:
                note(path, str(error))
            else:
                yield path, frame

    def detect_or_note(path: Path, frame: np.ndarray) -> list[tuple[PixelBox, float]]:
        try:
            return detect(path, frame)
        except InputError as error:
            note(path, str(error))
            return []

    for path, frame, box in accepted_boxes(readable_frames(), detect_or_note, settings):
        try:
            if box is None:
                raise InputError("no face accepted")
            pose = read_pose(path.with_name(path.name.replace("_rgb.png", "_pose.txt")))
            crop = crop_box(frame, box, settings.image_size, inclusive=True)
        except InputError as error:
            if not part.problems or part.problems[-1].name != f"{video.name}/{path.name}":
                note(path, str(error))
            continue
        name = f"{video.name}/{path.name.removesuffix('_rgb.png')}"
        part.add(name, crop, pose, settings.crop.margin_ratio, group=video.name)
    return part


def video_frames(video: Path) -> list[Path]:
    """Return the frames of a folder, by name, including those of which only the pose exists."""
    stems = {
        path.name.rsplit("_", 1)[0] for path in video.glob("frame_*_*") if path.suffix in (".png", ".txt")
    }
    return [video / f"{stem}_rgb.png" for stem in sorted(stems)]


def find_videos(input_dir: Path) -> list[Path]:
    """Return the folders with frames, by name.

    Raises:
        InputError: If there is no such folder, or none with frames in it.
    """
    if not input_dir.is_dir():
        raise InputError(f"{input_dir}: no such folder (expected hpdb with 01 to 24)")
    videos = sorted(path for path in input_dir.iterdir() if path.is_dir() and video_frames(path))
    if not videos:
        raise InputError(f"{input_dir}: expected folders with frame_NNNNN_rgb.png, found none")
    return videos


def split_videos(num_videos: int, seed: int) -> tuple[list[int], list[int]]:
    """Split into training and test videos: 16 and 8 of 24, the same share of fewer, by seed."""
    order = np.random.default_rng(seed).permutation(num_videos).tolist()
    num_training = round(num_videos * NUM_TRAINING_VIDEOS / 24)
    return sorted(order[:num_training]), sorted(order[num_training:])


def create_biwi(
    input_dir: str | Path,
    output: str | Path,
    settings: BiwiSettings | None = None,
    *,
    seed: int = 0,
    workers: int = 0,
    strict: bool = False,
) -> PreprocessingReport:
    """Crop BIWI Kinect Head Pose into one `.npz` (protocol 1) or two (protocol 2).

    Args:
        input_dir: Folder `hpdb` with the videos 01 to 24.
        output: The `.npz` to write; protocol 2 writes `…_train.npz` and `…_test.npz`.
        settings: Protocol, crop and source of the boxes; default: `BiwiSettings()`.
        seed: Random seed of the split into training and test videos.
        workers: Number of processes; 0: one per core.
        strict: Raise at the first frame that yields no crop.

    Returns:
        The number of frames, the problems, and the files.

    Raises:
        InputError: If there is no folder, no video or no crop; or, with `strict`, an invalid frame.

    Example:
        >>> fsanet_tf.create_synthetic("hpdb", 24, layout="biwi")
        >>> settings = fsanet_tf.BiwiSettings(detector="file")
        >>> print(fsanet_tf.create_biwi("hpdb", "biwi.npz", settings, workers=1))
        biwi.npz: 24 crops of 24 sources, 0 left out
    """
    settings = settings or BiwiSettings()
    videos, output = find_videos(Path(input_dir)), Path(output)
    outputs = {output: list(range(len(videos)))}
    if settings.protocol == 2:
        if len(videos) < 2:
            raise InputError(f"{input_dir}: protocol 2 needs two videos or more, found {len(videos)}")
        training, test = split_videos(len(videos), seed)
        outputs = {
            output.with_stem(f"{output.stem}_train"): training,
            output.with_stem(f"{output.stem}_test"): test,
        }
    sizes = [len(video_frames(video)) for video in videos]
    return create_dataset(
        videos,
        sizes,
        crop_video,
        {"settings": settings},
        outputs,
        image_size=settings.image_size,
        square=settings.crop.square,
        workers=workers,
        strict=strict,
    )
