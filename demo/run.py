"""Head poses on photos, folders, videos and webcams: `python demo/run.py --source=photo.jpg`.

Without a source it takes the astronaut of scikit-image, so that it runs anywhere, offline.
"""

import contextlib
import csv
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from absl import flags
from tqdm import tqdm

from fsanet_tf.command_line import run
from fsanet_tf.detectors import DETECTORS, Detection, make_detector
from fsanet_tf.drawing import draw_face, write_text
from fsanet_tf.errors import InputError
from fsanet_tf.files import replace_when_done
from fsanet_tf.predictor import FacePose, PosePredictor

ASTRONAUT = "astronaut"
PHOTOS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")

flags.DEFINE_string("source", ASTRONAUT, "Photo, folder of photos, video, GIF, webcam number or address.")
flags.DEFINE_string("model", "fusion", "Network: a file, a SavedModel folder, or a shipped net's name.")
flags.DEFINE_enum("detector", "auto", ("auto", *DETECTORS), "Face detector.")
flags.DEFINE_float("margin_ratio", None, "Share of the box added on each side; default: the network's.", 0.0)
flags.DEFINE_string("output", None, "Picture, video or folder to write; default: SOURCE_poses beside you.")
flags.DEFINE_string("json", None, "Also write one JSON line a face here.")
flags.DEFINE_string("csv", None, "Also write one CSV line a face here.")
flags.DEFINE_integer("every", 1, "Detect on each n-th frame of a video; between, the last boxes serve.", 1)
flags.DEFINE_integer("hold_frames", 15, "How long the last boxes serve where nothing is found.", 0)
flags.DEFINE_bool("show", False, "Show a window; q ends it.")
FLAGS = flags.FLAGS


class Frame(NamedTuple):
    """A picture of the source: its name, its time in seconds, its pixels (None: unreadable)."""

    name: str
    time_s: float
    image: np.ndarray | None


def astronaut() -> np.ndarray:
    """The photo of the first try: Eileen Collins, NASA, from scikit-image."""
    import skimage.data

    return cv2.cvtColor(skimage.data.astronaut(), cv2.COLOR_RGB2BGR)


def photo_paths(source: str) -> list[Path] | None:
    """The photos of a source, or None where it is a video or camera.

    Raises:
        InputError: no such photo, or a folder without photos.
    """
    path = Path(source)
    if source == ASTRONAUT:
        return [path]
    if path.is_dir():
        photos = sorted(p for p in path.iterdir() if p.suffix.lower() in PHOTOS)
        if not photos:
            raise InputError(f"{source}: expected photos ({', '.join(PHOTOS)}), found none")
        return photos
    if path.suffix.lower() not in PHOTOS:
        return None
    if not path.is_file():
        raise InputError(f"{source}: no such photo, folder, video or camera")
    return [path]


def video_frames(source: str) -> Iterator[Frame]:
    """Frames of a video file, a webcam (a number) or an address.

    Raises:
        InputError: it cannot be opened, or gives no frame.
    """
    is_stream = source.isdigit() or "://" in source
    if not is_stream and not Path(source).is_file():
        raise InputError(f"{source}: no such photo, folder, video or camera")
    capture = cv2.VideoCapture(int(source) if source.isdigit() else source)
    try:
        rate = capture.get(cv2.CAP_PROP_FPS) or 25.0
        number = 0
        while True:
            ok, image = capture.read()
            if not ok:
                break
            yield Frame(f"{number:06d}", number / rate, image)
            number += 1
        if number == 0:
            raise InputError(f"{source}: expected a photo or video, could not read it")
    finally:
        capture.release()


class Tables:
    """The JSON and CSV lines, one a face, written as the faces come."""

    FIELDS = ("frame", "time_s", "left", "top", "right", "bottom", "score", "yaw", "pitch", "roll")

    def __init__(self, json_file, csv_file):
        self.json_file = json_file
        self.csv = csv.DictWriter(csv_file, self.FIELDS) if csv_file else None
        if self.csv:
            self.csv.writeheader()

    def add(self, frame: Frame, faces: list[FacePose]) -> None:
        for face in faces:
            values = (frame.name, round(frame.time_s, 3), *face.box, face.score, *face.pose_deg)
            row = dict(zip(self.FIELDS, values, strict=True))
            if self.json_file:
                self.json_file.write(json.dumps(row) + "\n")
            if self.csv:
                self.csv.writerow(row)


def draw(image: np.ndarray, faces: list[FacePose]) -> np.ndarray:
    drawn = image.copy()
    for face in faces:
        draw_face(drawn, face.box, np.array(face.pose_deg))
    return drawn


def print_faces(name: str, faces: list[FacePose]) -> None:
    if not faces:
        print(f"{name}: no face found")
    for face in faces:
        print(f"{name}: yaw {face.yaw:+.1f}°  pitch {face.pitch:+.1f}°  roll {face.roll:+.1f}°")


def run_photos(photos: list[Path], predictor, detect, output: Path, tables: Tables) -> None:
    """Draw each photo; one that cannot be read is named and the rest is done."""
    unreadable = []
    for photo in photos:
        image = astronaut() if str(photo) == ASTRONAUT else cv2.imread(str(photo))
        if image is None:
            unreadable.append(photo)
            continue
        faces = predictor.predict(image, detect(image))
        tables.add(Frame(photo.name, 0.0, image), faces)
        print_faces(str(photo), faces)
        target = output / photo.name if len(photos) > 1 else output
        with replace_when_done(target) as temporary:
            if not cv2.imwrite(str(temporary), draw(image, faces)):
                raise InputError(f"{target}: cannot write such a picture")
        show(draw(image, faces), wait_ms=0)
    if len(unreadable) == len(photos):
        raise InputError(f"{unreadable[0]}: expected a photo, could not read it")
    for photo in unreadable:
        print(f"left out: {photo}: not a readable photo")


def run_video(source: str, predictor, detect, output: Path, tables: Tables) -> None:
    """Draw a video; Ctrl-C ends it early and keeps what was drawn."""
    with replace_when_done(output) as temporary:
        writer = None
        held: list[Detection] = []
        last_found = 0
        try:
            for number, frame in enumerate(tqdm(video_frames(source), unit="frame")):
                start = time.perf_counter()
                if number % FLAGS.every == 0:
                    found = detect(frame.image)
                    if found or number - last_found > FLAGS.hold_frames:
                        held, last_found = found, number
                faces = predictor.predict(frame.image, held)
                tables.add(frame, faces)
                drawn = draw(frame.image, faces)
                rate = 1 / (time.perf_counter() - start)
                write_text(drawn, f"{rate:.0f} frames/s", (8, 20), 14)
                if writer is None:
                    size = (drawn.shape[1], drawn.shape[0])
                    writer = cv2.VideoWriter(str(temporary), cv2.VideoWriter.fourcc(*"mp4v"), 25.0, size)
                    if not writer.isOpened():
                        raise InputError(f"{output}: cannot write such a video (expected .mp4 or .avi)")
                writer.write(drawn)
                if show(drawn, wait_ms=1):
                    break
        except KeyboardInterrupt:
            print("stopped; keeping what was drawn")
        finally:
            if writer is not None:
                writer.release()


def show(image: np.ndarray, wait_ms: int) -> bool:
    """Show a window where asked for; True when q is pressed."""
    if not FLAGS.show:
        return False
    cv2.imshow("fsanet_tf", image)
    return cv2.waitKey(wait_ms) & 0xFF == ord("q")


def main() -> None:
    source = FLAGS.source
    photos = photo_paths(source)
    if photos is None:
        next(video_frames(source))  # a source that cannot be read is answered before anything is loaded
    predictor = PosePredictor(FLAGS.model, FLAGS.margin_ratio)
    detect = make_detector(FLAGS.detector)
    stem = "camera" if source.isdigit() or "://" in source else Path(source).stem
    kind = ".mp4" if photos is None else ("" if len(photos) > 1 else ".png")
    output = Path(FLAGS.output or f"{stem}_poses{kind}")
    with open_table(FLAGS.json) as json_file, open_table(FLAGS.csv) as csv_file:
        tables = Tables(json_file, csv_file)
        if photos is None:
            run_video(source, predictor, detect, output, tables)
        else:
            run_photos(photos, predictor, detect, output, tables)
    print(f"drawn: {output}")


@contextlib.contextmanager
def open_table(path: str | None):
    """A text file that appears when it is whole; None where none was asked for."""
    if path is None:
        yield None
        return
    with replace_when_done(path) as temporary, temporary.open("w", newline="") as file:
        yield file


if __name__ == "__main__":
    run(main)
