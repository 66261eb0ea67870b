"""Time and memory from a cold start to the first pose, a process each: `python -m benchmarks.startup`."""

import functools
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.harness import Comparison, compare, peak_mib, run_benchmark
from benchmarks.inference import ORIGINAL, frozen_graph
from benchmarks.original import TENSORFLOW_1, ask, define_original_python, start_server
from fsanet_tf.errors import InputError
from fsanet_tf.geometry.crop import IMAGE_SIZE
from fsanet_tf.networks.pretrained import keras_file

CODE = """
import sys
import numpy as np
if len(sys.argv) > 1:
    from fsanet_tf.networks.network import load_network
    load_network(sys.argv[1]).predict(np.zeros((1, 64, 64, 3), np.float32))
print("done", flush=True)
sys.stdin.read()
"""


def launch(source: list[str]) -> subprocess.Popen:
    """A fresh process of ours, on its way to its first pose."""
    command = [sys.executable, "-c", CODE, *source]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def await_pose(process: subprocess.Popen) -> None:
    """Wait until it says that it is there."""
    assert process.stdout  # it is a pipe
    if not process.stdout.read(1):
        raise InputError("a fresh process ended without a pose")


def start(
    launched: Callable[[], subprocess.Popen], answered: Callable[[subprocess.Popen], object]
) -> tuple[float, float]:
    """Seconds that a fresh process takes to its first pose, and its peak memory in MiB by then."""
    begin = time.perf_counter()
    with launched() as process:
        answered(process)
        seconds, peak = time.perf_counter() - begin, peak_mib(process.pid)
        process.communicate()
    return seconds, peak


def measure() -> list[Comparison]:
    given = flags.FLAGS
    graph = frozen_graph(Path(given.reference), "1x1")
    sources = {
        ORIGINAL: [str(graph)],
        "Keras": [str(keras_file("1x1"))],
        "shipped TFLite": ["1x1"],
        "shipped fusion, TFLite": ["fusion"],
        "Python and NumPy alone": [],
    }
    ways = {
        name: functools.partial(start, functools.partial(launch, source), await_pose)
        for name, source in sources.items()
    }
    if given.original_python:
        server = functools.partial(start_server, given.original_python, graph, num_threads=0)
        face = np.zeros((1, IMAGE_SIZE, IMAGE_SIZE, 3), np.float32)
        ways[TENSORFLOW_1] = functools.partial(start, server, functools.partial(ask, crops=face))
    starts = [{name: way() for name, way in ways.items()} for _ in range(given.rounds)]
    return [
        compare(
            "Start-up to the first pose",
            column,
            unit,
            ORIGINAL,
            {n: [s[n][i] for s in starts] for n in ways},
        )
        for i, (column, unit) in enumerate((("time", "s"), ("peak memory", "MiB")))
    ]


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's frozen graph.")
    flags.DEFINE_integer("rounds", 5, "Starts of each.", 1)
    define_original_python()
    run_benchmark(measure)
