"""Head poses on photos, folders, videos and webcams: `python demo/run.py --source=photo.jpg`.

Without a source it takes the astronaut of scikit-image, so that it runs anywhere, offline.
"""

import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from absl import flags
from tqdm import tqdm

from demo.faces import draw_faces, numbers
from demo.sources import ASTRONAUT, Frame, Video, photo_paths, read_photo
from demo.tables import Tables, open_tables
from demo.time_sequence import Sequences
from fsanet_tf.command_line import run
from fsanet_tf.detectors import DETECTORS, Detector, make_detector
from fsanet_tf.drawing import STYLES, write_text
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done
from fsanet_tf.pictures import write_picture
from fsanet_tf.predictor import FacePose, PosePredictor
from fsanet_tf.tracking import PoseSmoother, Tracker

VIDEOS = (".mp4", ".avi", ".mkv")
RATE_FRAMES = 20  # over which the frame rate on the screen is averaged

flags.DEFINE_string("source", ASTRONAUT, "Photo, folder of photos, video, GIF, webcam number or address.")
flags.DEFINE_string("model", "fusion", "Network: a file, a SavedModel folder, or a shipped net's name.")
flags.DEFINE_enum("detector", "auto", ("auto", *DETECTORS), "Face detector.")
flags.DEFINE_float("margin_ratio", None, "Share of the box added on each side; default: the network's.", 0.0)
flags.DEFINE_string("output", None, "Picture, video or folder to write; default: SOURCE_poses beside you.")
flags.DEFINE_string("json", None, "Also write one JSON line a face here.")
flags.DEFINE_string("csv", None, "Also write one CSV line a face here.")
flags.DEFINE_string("time_sequence", None, "Also draw each person's angles over time here (.png).")
flags.DEFINE_integer("every", 1, "Detect on each n-th frame of a video; between, faces are tracked.", 1)
flags.DEFINE_integer("hold_frames", 15, "How long a box serves where its face is not found.", 0)
flags.DEFINE_bool("smooth", False, "Smooth each track's angles (One Euro filter).")
flags.DEFINE_enum("draw", "axes", STYLES, "How a pose is drawn.")
flags.DEFINE_bool("show", False, "Show a window; q ends it.")
FLAGS = flags.FLAGS


def draw(image: np.ndarray, faces: list[FacePose]) -> np.ndarray:
    drawn = image.copy()
    draw_faces(drawn, faces, FLAGS.draw)
    return drawn


def print_faces(name: str, faces: list[FacePose]) -> None:
    if not faces:
        print(f"{name}: no face found")
    for number, face in zip(numbers(faces), faces, strict=True):
        which = f", face {number}" if number else ""
        print(f"{name}{which}: yaw {face.yaw:+.1f}°  pitch {face.pitch:+.1f}°  roll {face.roll:+.1f}°")


def run_photos(
    photos: list[Path], predictor: PosePredictor, detect: Detector, output: Path, tables: Tables
) -> None:
    """Draw each photo; one that cannot be read is named and the rest is done."""
    unreadable: list[InputError] = []
    for photo in tqdm(photos, unit="photo", disable=len(photos) == 1):
        try:
            image = read_photo(photo)
        except InputError as error:
            unreadable.append(error)
            continue
        faces = predictor.predict(image, detect(image))
        tables.add(Frame(photo.name, 0.0, image), faces)
        print_faces(str(photo), faces)
        drawn = draw(image, faces)
        write_picture(output / photo.name if len(photos) > 1 else output, drawn)
        show(drawn, wait_ms=0)
    if len(unreadable) == len(photos):
        raise unreadable[0]
    for reason in unreadable:
        print(f"left out: {reason}")


def follow(predictor: PosePredictor, detect: Detector) -> Callable[[int, Frame], list[FacePose]]:
    """A function from the next frame of a video to its faces."""
    tracker = Tracker(FLAGS.hold_frames)
    smooth = PoseSmoother() if FLAGS.smooth else None

    def faces_of(number: int, frame: Frame) -> list[FacePose]:
        if number % FLAGS.every == 0:
            boxes = tracker.update(number, detect(frame.image))
        else:
            boxes = tracker.at(number)
        faces = predictor.predict(frame.image, boxes)
        return smooth(faces, frame.time_s) if smooth else faces

    return faces_of


def run_video(
    video: Video,
    predictor: PosePredictor,
    detect: Detector,
    output: Path,
    tables: Tables,
    sequences: Sequences,
) -> None:
    """Draw a video; Ctrl-C or a camera that vanishes ends it early and keeps what was drawn."""
    faces_of, starts = follow(predictor, detect), deque([time.perf_counter()], RATE_FRAMES)
    with replace_when_done(output) as temporary:
        writer = None
        try:
            for number, frame in enumerate(tqdm(video, total=video.length, unit="frame")):
                faces = faces_of(number, frame)
                tables.add(frame, faces)
                sequences.add(frame.time_s, faces)
                drawn = draw(frame.image, faces)
                starts.append(time.perf_counter())
                rate = (len(starts) - 1) / (starts[-1] - starts[0])
                write_text(drawn, f"{rate:.0f} frames/s", (6, 20), 14)
                writer = writer or open_writer(temporary, output, drawn, video.rate)
                writer.write(drawn)
                if show(drawn, wait_ms=1):
                    break
        except KeyboardInterrupt:
            print("stopped; keeping what was drawn")
        finally:
            if writer is not None:
                writer.release()
    if video.missing:
        print(f"left out: {video.missing}")


def open_writer(temporary: Path, output: Path, image: np.ndarray, rate: float) -> cv2.VideoWriter:
    size = (image.shape[1], image.shape[0])
    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    if not writer.isOpened():
        raise InputError(f"{output}: cannot write such a video (expected {', '.join(VIDEOS)})")
    return writer


def show(image: np.ndarray, wait_ms: int) -> bool:
    """Show a window where asked for; True when q is pressed."""
    if not FLAGS.show:
        return False
    try:
        cv2.imshow("fsanet_tf", image)
    except cv2.error as error:
        raise InputError("--show: there is no screen to show a window on") from error
    return cv2.waitKey(wait_ms) & 0xFF == ord("q")


def default_output(source: str, photos: list[Path] | None) -> Path:
    if photos is None:
        stem = "camera" if source.isdigit() or "://" in source else Path(source).stem
        return Path(f"{stem}_poses.mp4")
    return Path(f"{Path(source).stem}_poses{'' if len(photos) > 1 else '.png'}")


def main() -> None:
    source = FLAGS.source
    photos = photo_paths(source)
    output = Path(FLAGS.output) if FLAGS.output else default_output(source, photos)
    if photos is None:
        if output.suffix.lower() not in VIDEOS:
            raise InputError(f"{output}: cannot write such a video (expected {', '.join(VIDEOS)})")
        video = Video(source)  # a source that cannot be read is answered before anything is loaded
    elif FLAGS.time_sequence:
        raise InputError("--time_sequence: expected a video, received photos")
    predictor = PosePredictor(FLAGS.model, FLAGS.margin_ratio)
    detect = make_detector(FLAGS.detector)
    with open_tables(FLAGS.json, FLAGS.csv) as tables:
        if photos is None:
            sequences = Sequences()
            run_video(video, predictor, detect, output, tables, sequences)
            if FLAGS.time_sequence:
                sequences.draw(Path(FLAGS.time_sequence))
        else:
            run_photos(photos, predictor, detect, output, tables)
    print(f"drawn: {output}")


if __name__ == "__main__":
    run(main)
