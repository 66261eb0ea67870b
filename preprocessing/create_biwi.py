"""BIWI Kinect Head Pose into crops and poses, by the paper's protocol 1 (all frames) or 2 (16/8 videos).

`python preprocessing/create_biwi.py --input_dir=hpdb --output=biwi.npz` writes `biwi.npz`; with
`--protocol=2` it writes `biwi_train.npz` and `biwi_test.npz`.
"""

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.crop import BIWI_CROP, IMAGE_SIZE, CropRule, crop_box, grow_box
from fsanet_tf.detectors import load_mtcnn
from fsanet_tf.errors import InputError
from fsanet_tf.pictures import read_picture
from preprocessing.command import define_flags, report
from preprocessing.parts import Part, Problem, create_dataset

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels
Detector = Callable[[Path, np.ndarray], list[tuple[Box, float]]]

CONFIDENCE = {1: 0.90, 2: 0.95}  # of MTCNN, by protocol
MAX_MOVE = 80  # pixels that the grown box's left may move from one frame to the next
NUM_TRAINING_VIDEOS = 16


@dataclasses.dataclass(frozen=True)
class BiwiSettings:
    """How the frames of a video become crops.

    Attributes:
        protocol: 1 drops a frame without an accepted face, 2 takes the last box.
        crop: how to crop about the detector's box.
        image_size: side of the crops.
        detector: `mtcnn`, or `file`: `frame_NNNNN_box.txt` with left, top, right, bottom.
    """

    protocol: int = 1
    crop: CropRule = BIWI_CROP
    image_size: int = IMAGE_SIZE
    detector: str = "mtcnn"


def read_pose(path: Path) -> np.ndarray:
    """Yaw, pitch, roll in degrees of a `frame_NNNNN_pose.txt`: three rows of R, then the translation.

    Raises:
        InputError: the file cannot be read or does not hold a rotation.
    """
    try:
        numbers = [float(word) for word in path.read_text().split()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: expected three rows of a rotation ({error})") from error
    if len(numbers) < 9 or not np.isfinite(numbers).all():
        raise InputError(f"{path.name}: expected three rows of a rotation, received {len(numbers)} numbers")
    return pose_from_biwi_rotation(np.array(numbers[:9]).reshape(3, 3))


def pose_from_biwi_rotation(rotation: np.ndarray) -> np.ndarray:
    """Yaw, pitch, roll in degrees `(3,)` of a rotation `(3, 3)` as BIWI writes it.

    The original's convention, kept for its BIWI tables; it differs from 300W-LP's away from the front.
    """
    r = rotation.T
    roll = -np.arctan2(r[1, 0], r[0, 0])
    yaw = -np.arctan2(-r[2, 0], np.hypot(r[2, 1], r[2, 2]))
    pitch = np.arctan2(r[2, 1], r[2, 2])
    return np.rad2deg([yaw, pitch, roll])


def mtcnn_detector(protocol: int) -> Detector:
    """MTCNN with the protocol's confidence; it is given BGR as it is, as in the original."""
    network = load_mtcnn()

    def detect(_: Path, frame: np.ndarray) -> list[tuple[Box, float]]:
        faces = []
        for face in network.detect_faces(frame) or []:
            left, top, width, height = face["box"]
            if face["confidence"] > CONFIDENCE[protocol]:
                faces.append(((left, top, left + width, top + height), float(face["confidence"])))
        return faces

    return detect


def file_detector(frame_path: Path, _: np.ndarray) -> list[tuple[Box, float]]:
    """The box written beside a frame, for frames in which MTCNN finds nothing."""
    path = frame_path.with_name(frame_path.name.replace("_rgb.png", "_box.txt"))
    try:
        left, top, right, bottom = (int(float(word)) for word in path.read_text().split())
    except (OSError, ValueError) as error:
        raise InputError(f"{path.name}: expected left, top, right and bottom ({error})") from error
    return [((left, top, right, bottom), 1.0)]


def choose_box(boxes: list[Box], frame_shape: tuple[int, ...]) -> Box:
    """Of several grown boxes the one whose left and top are nearest ⅔ of the frame's width and height.

    The distance is the sum of both differences, in pixels.
    """
    height, width = frame_shape[:2]
    return min(boxes, key=lambda box: abs(box[0] - width * 2 / 3) + abs(box[1] - height * 2 / 3))


def accepted_boxes(
    frames: Iterator[tuple[Path, np.ndarray]], detect: Detector, settings: BiwiSettings
) -> Iterator[tuple[Path, np.ndarray, Box | None]]:
    """Give each frame's grown box, or None where the protocol drops the frame.

    A box whose left moved by 80 pixels or more from the last accepted frame's is not believed.
    """
    last: Box | None = None
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


def crop_video(video: Path, settings: BiwiSettings, detect: Detector | None = None) -> Part:
    """All crops of one person's folder, frame by frame."""
    part = Part()
    if detect is None:
        detect = file_detector if settings.detector == "file" else mtcnn_detector(settings.protocol)

    def note(path: Path, reason: str) -> None:
        part.problems.append(Problem(f"{video.name}/{path.name}", reason))

    def readable_frames() -> Iterator[tuple[Path, np.ndarray]]:
        for path in video_frames(video):
            try:
                frame = read_picture(path)
            except InputError as error:
                note(path, str(error))
            else:
                yield path, frame

    def detect_or_note(path: Path, frame: np.ndarray) -> list[tuple[Box, float]]:
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
        part.add(f"{video.name}/{path.name.removesuffix('_rgb.png')}", crop, pose)
    return part


def video_frames(video: Path) -> list[Path]:
    """The frames of a folder, by name; also those of which only the pose is there."""
    stems = {
        path.name.rsplit("_", 1)[0] for path in video.glob("frame_*_*") if path.suffix in (".png", ".txt")
    }
    return [video / f"{stem}_rgb.png" for stem in sorted(stems)]


def find_videos(input_dir: Path) -> list[Path]:
    """The folders with frames, by name.

    Raises:
        InputError: no such folder, or none with frames in it.
    """
    if not input_dir.is_dir():
        raise InputError(f"{input_dir}: no such folder (expected hpdb with 01 to 24)")
    videos = sorted(path for path in input_dir.iterdir() if path.is_dir() and video_frames(path))
    if not videos:
        raise InputError(f"{input_dir}: expected folders with frame_NNNNN_rgb.png, found none")
    return videos


def split_videos(num_videos: int, seed: int) -> tuple[list[int], list[int]]:
    """Numbers of the training and the test videos: 16 and 8 of 24, the same share of fewer, by seed."""
    order = np.random.default_rng(seed).permutation(num_videos).tolist()
    num_training = round(num_videos * NUM_TRAINING_VIDEOS / 24)
    return sorted(order[:num_training]), sorted(order[num_training:])


def main() -> None:
    given = flags.FLAGS
    rule = CropRule(given.margin_ratio)
    settings = BiwiSettings(given.protocol, rule, given.image_size, given.detector)
    videos = find_videos(Path(given.input_dir))
    output = Path(given.output)
    outputs = {output: list(range(len(videos)))}
    if settings.protocol == 2:
        if len(videos) < 2:
            raise InputError(f"{given.input_dir}: protocol 2 needs two videos or more, found {len(videos)}")
        training, test = split_videos(len(videos), given.seed)
        outputs = {
            output.with_stem(f"{output.stem}_train"): training,
            output.with_stem(f"{output.stem}_test"): test,
        }
    sizes = [len(video_frames(video)) for video in videos]
    problems = create_dataset(
        videos,
        sizes,
        crop_video,
        {"settings": settings},
        outputs,
        image_size=settings.image_size,
        crop=settings.crop,
        workers=given.workers,
        strict=given.strict,
    )
    report(sum(sizes), problems, list(outputs))


if __name__ == "__main__":
    define_flags(BIWI_CROP.margin_ratio, IMAGE_SIZE)
    flags.DEFINE_integer("protocol", 1, "1: all frames in one file; 2: training and test videos.", 1, 2)
    flags.DEFINE_enum("detector", "mtcnn", ("mtcnn", "file"), "Where the boxes come from.")
    flags.DEFINE_integer("seed", 0, "Of the split into training and test videos.", 0)
    run(main)
