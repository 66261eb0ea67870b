"""Memory of the demo over a long video: `python -m benchmarks.demo_memory --source=../shared/media/yes.mkv`.

Loops a video for ten minutes of footage, runs the demo on it, and prints the resident memory as it goes.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import psutil
from absl import flags

from demo.sources import Video
from fsanet_tf.command_line import run

SAMPLES = 10


def loop(source: str, path: Path, seconds: float) -> None:
    """Write a video repeated until it lasts that long."""
    frames, rate = [frame.image for frame in Video(source)], Video(source).rate
    size = (frames[0].shape[1], frames[0].shape[0])
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), rate, size)
    for number in range(int(seconds * rate)):
        writer.write(frames[number % len(frames)])
    writer.release()


def main() -> None:
    given = flags.FLAGS
    with tempfile.TemporaryDirectory() as folder:
        video = Path(folder) / "long.mp4"
        loop(given.source, video, 60 * given.minutes)
        command = [sys.executable, "demo/run.py", f"--source={video}", f"--output={folder}/drawn.mp4"]
        command += [f"--csv={folder}/faces.csv", f"--detector={given.detector}", f"--every={given.every}"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        resident = []
        while process.poll() is None:
            resident.append(psutil.Process(process.pid).memory_info().rss / 2**20)
            time.sleep(1)
    kept = resident[5:-2]  # without start and end
    shown = kept[:: max(1, len(kept) // SAMPLES)]
    print(f"{len(resident)} s; MiB over time: {', '.join(f'{value:.0f}' for value in shown)}")


if __name__ == "__main__":
    flags.DEFINE_string("source", "../shared/media/yes.mkv", "Video to repeat.")
    flags.DEFINE_float("minutes", 10.0, "Of footage.", 0.1)
    flags.DEFINE_string("detector", "yunet", "As of the demo.")
    flags.DEFINE_integer("every", 10, "As of the demo.", 1)
    run(main)
