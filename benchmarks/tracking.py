"""A frame of a video, its faces followed: `python -m benchmarks.tracking --mediapipe_python=mp/bin/python`.

One pinned core; everything but decoding and drawing. The frames are those of a moving window on the package's
photo. MediaPipe runs in an environment of its own, in the same turns:

    python3.11 -m venv mp && mp/bin/pip install mediapipe==0.10.21 'numpy<2'
"""

import os
import subprocess
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np
from absl import flags

from benchmarks.harness import Comparison, Way, compare, elapsed_ms, in_turns, run_benchmark
from benchmarks.moving_window import MOTIONS, RATE, moving_window
from benchmarks.peers import OPENTRACK, opentrack
from fsanet_tf.detection.detection import Detection
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import Box
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.network import Network
from fsanet_tf.networks.pretrained import DEFAULT, DEFAULT_INT8, FUSION
from fsanet_tf.prediction.pose_tracker import PoseTracker
from fsanet_tf.prediction.predictor import PosePredictor

SIZES = ((1280, 720), (640, 480), (480, 270))
FACE = (180.0, 63.0, 270.0, 178.0)  # of the astronaut
BASELINE = "YuNet in each frame, `1x1`"
OTHER = "opentrack's network from a known box"  # its tracker, too, takes the last frame's
MEDIAPIPE = "MediaPipe FaceMesh, tracking"
MEDIAPIPE_CODE = """
import sys, time
import mediapipe, numpy as np
frames = np.load(sys.argv[1])
faces = mediapipe.solutions.face_mesh.FaceMesh(max_num_faces=1)
for _ in sys.stdin:
    times = []
    for frame in frames:
        start = time.perf_counter()
        found = faces.process(frame).multi_face_landmarks or []
        times.append(1e3 * (time.perf_counter() - start))
    print(len(found), *times, flush=True)
"""


def video(size: tuple[int, int], count: int) -> np.ndarray:
    """Return the frames of one face, `(count, height, width, 3)` uint8 BGR."""
    photo = read_image("astronaut")
    return np.stack([frame for frame, _ in moving_window(photo, FACE, MOTIONS["moving"], count, size)])


def crowd(count: int) -> np.ndarray:
    """Return frames of ten faces at 1280×720."""
    return np.tile(video((256, 360), count), (1, 2, 5, 1))


def followed(frames: np.ndarray, network: str, faces: int, **options) -> Way:
    """Follow the faces by our tracker."""

    def play() -> list[float]:
        tracker = PoseTracker(network, "yunet", **options)
        times = []
        for number, frame in enumerate(frames):
            start = time.perf_counter()
            found = tracker(frame, number / RATE)
            times.append(1e3 * (time.perf_counter() - start))
        if len(found) != faces:
            raise InputError(f"{network}: expected {faces} faces in the last frame, found {len(found)}")
        return times

    return play


def known_boxes(frames: np.ndarray, network: Network) -> Way:
    """Crop the face at its true place and run a network on it; return the milliseconds of each frame."""
    height, width = frames.shape[1:3]
    scenes = moving_window(read_image("astronaut"), FACE, MOTIONS["moving"], len(frames), (width, height))
    boxes, predict = [box for _, box in scenes], PosePredictor(network).predict

    def at(frame: np.ndarray, box: Box) -> float:
        return elapsed_ms(lambda: predict(frame, [Detection(box)]))

    return lambda: list(map(at, frames, boxes))


def mediapipe_way(python: str, path: Path) -> tuple[Way, subprocess.Popen]:
    """Start MediaPipe on frames stored as RGB; return the way to play them, and the process."""
    worker = subprocess.Popen(
        [python, "-c", MEDIAPIPE_CODE, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert worker.stdin and worker.stdout
    requests, answers = worker.stdin, worker.stdout

    def play() -> list[float]:
        print(file=requests, flush=True)
        found, *times = answers.readline().split()
        if int(found) != 1:
            raise InputError(f"MediaPipe: expected one face in the last frame, found {found}")
        return [float(t) for t in times]

    return play, worker


def column(name: str, frames: np.ndarray, faces: int) -> Comparison:
    """Measure all ways on some frames."""
    given = flags.FLAGS
    ways = {BASELINE: followed(frames, "1x1", faces, every=1)}
    ways |= {f"followed by `{network}`": followed(frames, network, faces) for network in given.network}
    reference = Path(given.reference)
    if (reference / OPENTRACK).exists() and faces == 1:
        ways[OTHER] = known_boxes(frames, opentrack(reference, 1))
    with tempfile.TemporaryDirectory() as folder:
        worker = None
        if given.mediapipe_python and faces == 1:  # its detector finds none of ten small faces
            path = Path(folder) / "frames.npy"
            np.save(path, np.stack([cv2.cvtColor(frame, cv2.COLOR_BGR2RGB) for frame in frames]))
            ways[MEDIAPIPE], worker = mediapipe_way(given.mediapipe_python, path)
        try:
            times = in_turns(ways, given.rounds)
        finally:
            if worker:
                worker.kill()
    return compare("A frame of video", name, "ms per frame", BASELINE, times)


def measure() -> list[Comparison]:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    count = flags.FLAGS.frames
    columns = [column(f"{w}×{h}", video((w, h), count), faces=1) for w, h in SIZES]
    return [*columns, column("ten faces, 1280×720", crowd(count), faces=10)]


if __name__ == "__main__":
    flags.DEFINE_list(
        "network", ["1x1", DEFAULT, DEFAULT_INT8, FUSION], "Network files or shipped names, each measured."
    )
    flags.DEFINE_string(
        "reference", "../shared", "Folder with opentrack's network; left out if it is absent."
    )
    flags.DEFINE_string("mediapipe_python", None, "The Python of an environment with MediaPipe.")
    flags.DEFINE_integer("frames", 90, "Frames of the video.", 2)
    flags.DEFINE_integer("rounds", 3, "How often it is played.", 1)
    run_benchmark(measure)
