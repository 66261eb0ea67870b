"""Every detector on every medium, stage by stage: `python -m benchmarks.demo --media_dir=../shared/media`.

Prints a Markdown table: faces found, frames a second, milliseconds a frame to detect, crop, predict and
draw.
"""

import itertools
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from absl import flags
from tqdm import tqdm

from benchmarks.harness import markdown_row, run
from fsanet_tf.detection.detectors import DETECTORS, make_detector
from fsanet_tf.drawing.poses import draw_face
from fsanet_tf.errors import InputError
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.card import POSE
from fsanet_tf.prediction.predictor import PosePredictor
from fsanet_tf.prediction.sources import find_photos, open_video

STAGES = ("detect", "crop", "pose", "draw")


def frames_of(path: Path, count: int) -> Iterator[np.ndarray]:
    """Yield up to `count` frames of a medium; a photo once."""
    if find_photos(str(path)):
        yield read_image(path)
    else:
        yield from (frame.image for frame in itertools.islice(open_video(path), count))


def time_stages(
    frames: Iterator[np.ndarray], detect, predictor: PosePredictor
) -> tuple[int, int, list[float]]:
    """Return the number of frames, of faces found, and the median milliseconds of each stage."""
    faces, times = 0, []
    for frame in frames:
        marks = [time.perf_counter()]
        found = detect(frame)
        marks.append(time.perf_counter())
        kept, crops = predictor.crop(frame, [face.box for face in found])
        marks.append(time.perf_counter())
        poses = predictor.network.predict(crops)[POSE] if kept else np.zeros((0, 3))
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
    predictor = PosePredictor(given.network)
    header = ("medium", "detector", "faces / frames", "frames/s", *(f"{stage} (ms)" for stage in STAGES))
    print(markdown_row(*header), "|---" * len(header) + "|", sep="\n")
    for name in tqdm(DETECTORS, unit="detector"):
        detect = make_detector(name)
        for path in media:
            detect(next(frames_of(path, 1)))  # the first call of a size is slow
            count, faces, stages = time_stages(frames_of(path, given.frames), detect, predictor)
            cells = (path.name, name, f"{faces} / {count}", f"{1e3 / sum(stages):.0f}")
            print(markdown_row(*cells, *(f"{stage:.1f}" for stage in stages)), flush=True)


if __name__ == "__main__":
    flags.DEFINE_string("media_dir", "../shared/media", "Folder of photos and videos.")
    flags.DEFINE_string("network", "fusion", "Network file or shipped name.")
    flags.DEFINE_integer("frames", 60, "Frames of a video.", 1)
    run(main)
