"""Time and memory from a cold start to the first pose, a process each: `python -m benchmarks.startup`."""

import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from benchmarks.comparison import Comparison, compare, run_benchmark
from benchmarks.inference import ORIGINAL, frozen_graph
from fsanet_tf.pretrained import keras_file

CODE = """
import resource, sys
import numpy as np
if len(sys.argv) > 1:
    from fsanet_tf.networks import load_network
    network = load_network(sys.argv[1])
    network.predict(np.zeros((1, 64, 64, 3), np.float32))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
"""


def start(arguments: list[str]) -> tuple[float, float]:
    """Seconds that a fresh process takes to its first pose and end, and its peak memory in MiB."""
    begin = time.perf_counter()
    result = subprocess.run(
        [sys.executable, "-c", CODE, *arguments], check=True, capture_output=True, text=True
    )
    return time.perf_counter() - begin, float(result.stdout.split()[-1])


def measure() -> list[Comparison]:
    sources = {
        ORIGINAL: [str(frozen_graph(Path(flags.FLAGS.reference), "1x1"))],
        "Keras": [str(keras_file("1x1"))],
        "shipped TFLite": ["1x1"],
        "shipped fusion, TFLite": ["fusion"],
        "Python and NumPy alone": [],
    }
    starts = [{name: start(source) for name, source in sources.items()} for _ in range(flags.FLAGS.rounds)]
    return [
        compare(
            "Start-up to the first pose",
            column,
            unit,
            ORIGINAL,
            {n: [s[n][i] for s in starts] for n in sources},
        )
        for i, (column, unit) in enumerate((("time", "s"), ("peak memory", "MiB")))
    ]


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's frozen graph.")
    flags.DEFINE_integer("rounds", 5, "Starts of each.", 1)
    run_benchmark(measure)
