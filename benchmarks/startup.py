"""Time from a cold start to the first pose, a process each: `python -m benchmarks.startup`."""

import statistics
import subprocess
import sys
import time

from absl import flags

from fsanet_tf.command_line import run
from fsanet_tf.networks import PRETRAINED_DIR

CODE = (
    "import sys, numpy as np; from fsanet_tf.networks import load_network; "
    "print(load_network(sys.argv[1]).predict(np.zeros((1, 64, 64, 3), np.float32)))"
)
SOURCES = {
    "Python and NumPy alone": None,
    "shipped TFLite": "1x1",
    "shipped fusion, TFLite": "fusion",
    "Keras": str(PRETRAINED_DIR / "1x1.keras"),
}


def start(source: str | None) -> float:
    """Seconds that a fresh process takes to its first pose."""
    code = ["import numpy"] if source is None else [CODE, source]
    begin = time.perf_counter()
    subprocess.run([sys.executable, "-c", *code], check=True, capture_output=True)
    return time.perf_counter() - begin


def main() -> None:
    times = {name: [] for name in SOURCES}
    for _ in range(flags.FLAGS.rounds):
        for name, source in SOURCES.items():
            times[name].append(start(source))
    keras = statistics.median(times["Keras"])
    for name, seconds in times.items():
        median = statistics.median(seconds)
        print(f"{name:26}{median:7.2f} s{keras / median:8.1f} times faster than Keras")


if __name__ == "__main__":
    flags.DEFINE_integer("rounds", 5, "Starts of each.", 1)
    run(main)
