"""Time and memory from a cold start to the first pose, a process each: `python -m benchmarks.startup`."""

import subprocess
import sys
import time
from pathlib import Path

from absl import flags

from benchmarks.harness import Comparison, compare, peak_mib, run_benchmark
from benchmarks.peers import ORIGINAL, frozen_graph
from fsanet_tf.errors import InputError
from fsanet_tf.networks.pretrained import network_files

CODE = """
import sys
import numpy as np
if len(sys.argv) > 1:
    from fsanet_tf.networks.network import load_network
    load_network(sys.argv[1]).predict(np.zeros((1, 64, 64, 3), np.float32))
print("done", flush=True)
sys.stdin.read()
"""


def start(arguments: list[str]) -> tuple[float, float]:
    """Return the seconds that a fresh process takes to its first pose, and its peak memory in MiB."""
    begin, pipe = time.perf_counter(), subprocess.PIPE
    command = [sys.executable, "-c", CODE, *arguments]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL) as process:
        if not process.stdout or not process.stdout.read(1):
            raise InputError("a fresh process ended without a pose")
        seconds, peak = time.perf_counter() - begin, peak_mib(process.pid)
        process.communicate()
    return seconds, peak


def measure() -> list[Comparison]:
    ways = {
        ORIGINAL: [str(frozen_graph(Path(flags.FLAGS.reference), "1x1"))],
        "Keras": [str(network_files("1x1", ".keras")[0])],
        "shipped TFLite": ["1x1"],
        "shipped fusion, TFLite": ["fusion"],
        "Python and NumPy alone": [],
    }
    starts = [{name: start(arguments) for name, arguments in ways.items()} for _ in range(flags.FLAGS.rounds)]
    columns = []
    for number, (column, unit) in enumerate((("time", "s"), ("peak memory", "MiB"))):
        samples = {name: [row[name][number] for row in starts] for name in ways}
        columns.append(compare("Start-up to the first pose", column, unit, ORIGINAL, samples))
    return columns


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the original's frozen graph.")
    flags.DEFINE_integer("rounds", 5, "Starts of each.", 1)
    run_benchmark(measure)
