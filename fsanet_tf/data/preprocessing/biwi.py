"""BIWI Kinect Head Pose as crops and poses, by the paper's protocol 1 (all frames) or 2 (16/8 videos)."""

import functools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fsanet_tf.batch.parts import Row
from fsanet_tf.data.preprocessing.crops import Plan, crop_row, problem_row
from fsanet_tf.data.preprocessing.landmark_pairs import LandmarkPairsConfig
from fsanet_tf.detection.detectors import load_mtcnn
from fsanet_tf.errors import InputError, reason_of
from fsanet_tf.geometry.crop import BIWI_CROP, CropRule, crop_box, grow_box
from fsanet_tf.io.files import printable_name
from fsanet_tf.io.images import read_image
from fsanet_tf.options import configuration, option, same_option

__all__ = ["BiwiConfig"]

PixelBox = tuple[int, int, int, int]  # left, top, right, bottom
FrameDetector = Callable[[Path, np.ndarray], list[PixelBox]]  # of a frame and its path

MIN_CONFIDENCE = {1: 0.90, 2: 0.95}  # of MTCNN, by protocol
MAX_MOVE = 80  # pixels that the grown box's left may move from one frame to the next
NUM_TRAINING_VIDEOS = 16


@configuration
class BiwiConfig:
    """BIWI Kinect Head Pose by the original's rules, for `preprocess`.

    Example:
        >>> fsanet_tf.BiwiConfig("hpdb", "biwi.npz", protocol=2).margin_ratio
        0.4
    """

    input_dir: str = option(meaning="Folder hpdb with the videos 01 to 24.")
    output: str = option(meaning="The .npz to write; protocol 2 writes …_train.npz and …_test.npz.")
    protocol: int = option(
        1,
        "1: all frames in one file, without those that lack an accepted face; 2: training and test videos, "
        "where such frames use the last box.",
        low=1,
        high=2,
    )
    detector: str = option(
        "mtcnn",
        "Source of the boxes: mtcnn, or file: frame_NNNNN_box.txt with left, top, right, bottom.",
        choices=("mtcnn", "file"),
    )
    margin_ratio: float = same_option(LandmarkPairsConfig, "margin_ratio", BIWI_CROP.margin_ratio)
    seed: int = option(0, "Random seed of the split of protocol 2.", low=0)
    image_size: int = same_option(LandmarkPairsConfig, "image_size")
    workers: int = same_option(LandmarkPairsConfig, "workers")
    strict: bool = same_option(LandmarkPairsConfig, "strict")

    @property
    def rule(self) -> CropRule:
        """The rule by which boxes are cropped."""
        return CropRule(self.margin_ratio)

    def plan(self) -> Plan:
        """Find the videos; protocol 2 splits them into two files.

        Raises:
            InputError: If there is no folder, no video, or for protocol 2 only one.
        """
        videos, output = find_videos(Path(self.input_dir)), Path(self.output)
        outputs = {output: videos}
        if self.protocol == 2:
            if len(videos) < 2:
                raise InputError(
                    f"{self.input_dir}: protocol 2 needs two or more videos, found {len(videos)}"
                )
            training, test = split_videos(len(videos), self.seed)
            outputs = {
                output.with_stem(f"{output.stem}_train"): [videos[number] for number in training],
                output.with_stem(f"{output.stem}_test"): [videos[number] for number in test],
            }
        return Plan(
            items=outputs,
            make_worker=functools.partial(VideoCropper, self),
            rule=self.rule,
            source=self.input_dir,
            files=lambda video: sorted(video.iterdir()),
            stands_alone=True,
        )


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

    def detect(_: Path, frame: np.ndarray) -> list[PixelBox]:
        faces = network.detect_faces(frame) or []
        sizes = [face["box"] for face in faces if face["confidence"] > MIN_CONFIDENCE[protocol]]
        return [(left, top, left + width, top + height) for left, top, width, height in sizes]

    return detect


def file_detector(frame_path: Path, _: np.ndarray) -> list[PixelBox]:
    """Read the box in the file next to a frame, for frames in which MTCNN finds nothing."""
    path = frame_path.with_name(frame_path.name.replace("_rgb.png", "_box.txt"))
    try:
        left, top, right, bottom = (int(float(word)) for word in path.read_text().split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: expected left, top, right and bottom ({error})") from error
    return [(left, top, right, bottom)]


def accepted_box(
    found: list[PixelBox], last: PixelBox | None, frame_shape: tuple[int, ...], config: BiwiConfig
) -> PixelBox | None:
    """Return the grown box of a frame, or None if the protocol drops the frame.

    Of several boxes it is the one whose left and top are nearest ⅔ of the frame's width and height, by the
    sum of both differences. One whose left moved by 80 pixels or more is rejected.

    Args:
        found: Boxes of the frame.
        last: The last accepted box of the video.
        frame_shape: Height and width of the frame.
        config: Margin and protocol; protocol 2 uses the last box in place of none.
    """
    height, width = frame_shape[:2]
    grown = [grow_box(box, config.rule, frame_shape) for box in found]
    box = min(grown, key=lambda box: abs(box[0] - width * 2 / 3) + abs(box[1] - height * 2 / 3), default=None)
    if box is not None and last is not None and abs(box[0] - last[0]) >= MAX_MOVE:
        box = None
    return last if box is None and config.protocol == 2 else box


class VideoCropper:
    """Crops the frames of a person's folder, in order: what is accepted depends on the frames before.

    Args:
        config: Protocol, margin, size, and source of the boxes.
    """

    def __init__(self, config: BiwiConfig):
        self._config = config
        self._detect = file_detector if config.detector == "file" else mtcnn_detector(config.protocol)

    def work(self, video: Path) -> list[Row]:
        """Return a row for each frame: its crop, or why it was left out."""
        rows = []
        last: PixelBox | None = None
        for path in video_frames(video):
            reason = "no face accepted"
            try:
                frame = read_image(path)
                try:
                    found = self._detect(path, frame)
                except Exception as error:  # as if there was no face
                    found, reason = [], reason_of(error)
                box = accepted_box(found, last, frame.shape, self._config)
                if box is None:
                    raise InputError(reason)
                last = box
                rows.append(self._crop(path, frame, box))
            except Exception as error:
                rows.append(problem_row(printable_name(f"{video.name}/{path.name}"), reason_of(error)))
        return rows

    def failure(self, video: Path, reason: str) -> Row:
        """Return why a folder was left out."""
        return problem_row(printable_name(video.name), reason)

    def _crop(self, path: Path, frame: np.ndarray, box: PixelBox) -> Row:
        pose = read_pose(path.with_name(path.name.replace("_rgb.png", "_pose.txt")))
        crop = crop_box(frame, box, self._config.image_size, inclusive=True)
        video = printable_name(path.parent.name)
        name = f"{video}/{path.name.removesuffix('_rgb.png')}"
        return crop_row(name, crop, pose, self._config.margin_ratio, group=video)


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
