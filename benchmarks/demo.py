"""Every detector on every medium, stage by stage: `python -m benchmarks.demo --media_dir=../shared/media`.

Prints a Markdown table: faces found, frames a second, milliseconds a frame to detect, crop, predict and
draw.
"""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.harness import run
from fsanet_tf.detection.detectors import DETECTORS, make_detector
from fsanet_tf.drawing.poses import draw_face
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sources import Video, photo_paths

STAGES = ("detect", "crop", "pose", "draw")


def frames_of(path: Path, count: int) -> Iterator[np.ndarray]:
    """Up to `count` frames of a medium; a photo once."""
    if photo_paths(str(path)):
        yield read_image(path)
        return
    for number, frame in enumerate(Video(str(path))):
        if number == count:
            return
        yield frame.image


def time_stages(
    frames: Iterator[np.ndarray], detect, predictor: PosePredictor
) -> tuple[int, int, list[float]]:
    """Number of frames, faces found, and the median milliseconds of each stage."""
    faces, times = 0, []
    for frame in frames:
        marks = [time.perf_counter()]
        found = detect(frame)
        marks.append(time.perf_counter())
        kept, crops = predictor.crop(frame, found)
        marks.append(time.perf_counter())
        poses = predictor.network.predict(crops) if kept else crops[:0]
        marks.append(time.perf_counter())
        for index, pose in zip(kept, poses, strict=True):
            draw_face(frame, found[index].box, pose)
        marks.append(time.perf_counter())
        faces += len(kept)
        times.append(np.diff(marks))
    return len(times), faces, (1e3 * np.median(times, axis=0)).tolist()


def main() -> None:
    given = flags.FLAGS
    media = sorted(path for path in Path(given.media_dir).iterdir() if path.is_file())
    if not media:
        raise InputError(f"{given.media_dir}: expected photos and videos, found none")
    predictor = PosePredictor(given.model)
    print(
        "| medium | detector | faces / frames | frames/s | " + " | ".join(f"{s} (ms)" for s in STAGES) + " |"
    )
    print("|" + "---|" * (4 + len(STAGES)))
    for name in tqdm(DETECTORS, unit="detector"):
        detect = make_detector(name)
        for path in media:
            detect(next(frames_of(path, 1)))  # the first call of a size is slow
            count, faces, stages = time_stages(frames_of(path, given.frames), detect, predictor)
            columns = [path.name, name, f"{faces} / {count}", f"{1e3 / sum(stages):.0f}"]
            print("| " + " | ".join([*columns, *(f"{stage:.1f}" for stage in stages)]) + " |", flush=True)


if __name__ == "__main__":
    flags.DEFINE_string("media_dir", "../shared/media", "Folder of photos and videos.")
    flags.DEFINE_string("model", "fusion", "Network, as of the demo.")
    flags.DEFINE_integer("frames", 60, "Frames of a video.", 1)
    run(main)
