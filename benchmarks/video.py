"""A whole 1080p video, decoded, tracked, drawn and encoded: `python -m benchmarks.video`.

Baseline: the same without finding faces, their boxes and poses given. The video is a moving window on the
package's photo. On all cores that the process may use.
"""

import itertools
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from absl import flags
from tqdm import tqdm

from benchmarks.harness import Comparison, compare, interleave, run_benchmark
from benchmarks.moving_window import MOTIONS, RATE, moving_window
from benchmarks.tracking import FACE
from fsanet_tf.detection.face_pose import FacePose
from fsanet_tf.io.images import read_image
from fsanet_tf.networks.pretrained import DEFAULT, FUSION
from fsanet_tf.prediction.sinks import VideoSink
from fsanet_tf.prediction.sources import open_video
from fsanet_tf.prediction.track import track

SIZE = (1920, 1080)
BASELINE = "decoded, drawn, encoded"
NETWORKS = (DEFAULT, "1x1", FUSION)


def make_video(path: Path, count: int) -> None:
    """Write the frames of one moving face."""
    frames = moving_window(read_image("astronaut"), FACE, MOTIONS["moving"], count, SIZE)
    with VideoSink(path, RATE) as video:
        for image, _ in tqdm(frames, total=count, unit="frame"):
            video.write(image)


def without_faces(source: Path, faces: Sequence[Sequence[FacePose]]) -> Callable[[], None]:
    """Draw given faces on each frame."""

    def play() -> None:
        with VideoSink(source.with_name("alone.mp4"), RATE) as video:
            for frame, found in zip(open_video(source), faces, strict=True):
                video.write(frame._replace(faces=found).draw())

    return play


def with_faces(source: Path, network: str) -> Callable[[], None]:
    """Do what `fsanet predict` does for a video."""

    def play() -> None:
        with VideoSink(source.with_name(f"{network}.mp4"), RATE) as video:
            for frame in track(source, network, "yunet"):
                video.write(frame.draw())

    return play


def measure() -> list[Comparison]:
    count = flags.FLAGS.frames
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "source.mp4"
        make_video(source, count)
        faces = [frame.faces for frame in itertools.islice(track(source, NETWORKS[0], "yunet"), count)]
        ways = {BASELINE: without_faces(source, faces)}
        ways |= {f"`{network}`": with_faces(source, network) for network in NETWORKS}
        times = interleave(ways, flags.FLAGS.rounds)
    rows = {name: [time / count for time in values] for name, values in times.items()}
    return [compare("A 1080p video of one face", "two cores", "ms per frame", BASELINE, rows)]


if __name__ == "__main__":
    flags.DEFINE_integer("frames", 150, "Frames of the video.", 1)
    flags.DEFINE_integer("rounds", 3, "Rounds, all ways in turns.", 1)
    run_benchmark(measure)
