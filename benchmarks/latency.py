"""Latency of several networks, measured in turns in one process.

TensorFlow's threads belong to the whole process, so each number of threads is measured in its own process.
"""

import dataclasses
import json
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from fsanet_tf.networks.network import Network, load_network

WARMUPS = 5
PACKAGE_ROOT = Path(__file__).parents[2]  # an uninstalled checkout works as well
MEASURE = """
import dataclasses, json, sys
sys.path.insert(0, sys.argv[1])
from fsanet_tf.export.latency import measure_latency
rows = measure_latency(*json.loads(sys.argv[2]))
print(json.dumps({path: dataclasses.asdict(row) for path, row in rows.items()}))
"""
WITHOUT_TENSORFLOW = (".tflite", ".onnx")


@dataclasses.dataclass(frozen=True)
class Latency:
    """Median times of one network with a given number of threads.

    Attributes:
        single_ms: One face per call, in milliseconds.
        single_spread_ms: Difference of the quartiles.
        batch_ms: Per face, 64 faces per call.
    """

    single_ms: float
    single_spread_ms: float
    batch_ms: float


def interleave(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time calls in milliseconds.

    The calls take turns, so that other load affects all alike, in a new order each round, so that none
    always finds the caches that another left.
    """
    order = list(calls)
    shuffle = random.Random(0).shuffle
    for call in calls.values():
        for _ in range(WARMUPS):
            call()
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            calls[name]()
            times[name].append(1e3 * (time.perf_counter() - start))
    return times


def measure_latency(
    paths: Sequence[str], rounds: int, num_threads: int, batch: int = 64
) -> dict[str, Latency]:
    """Time networks in this process, which must not have used TensorFlow yet.

    Args:
        paths: Files that `load_network` reads.
        rounds: Calls of each with one face; a tenth of that with a batch.
        num_threads: Threads of every runtime.
        batch: Faces per larger call.
    """
    if any(Path(path).suffix not in WITHOUT_TENSORFLOW for path in paths):
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(num_threads)
        tf.config.threading.set_inter_op_parallelism_threads(num_threads)
    return time_networks({path: load_network(path, num_threads) for path in paths}, rounds, batch)


def time_networks(networks: dict[str, Network], rounds: int, batch: int = 64) -> dict[str, Latency]:
    """Time loaded networks, by name; `rounds` and `batch` as in `measure_latency`."""
    single = time_faces(networks, 1, rounds)
    batched = time_faces(networks, batch, max(3, rounds // 10))
    return {
        name: Latency(
            statistics.median(single[name]),
            float(np.subtract(*np.percentile(single[name], (75, 25)))),
            statistics.median(batched[name]),
        )
        for name in networks
    }


def time_faces(networks: dict[str, Network], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure the milliseconds per face, by network, of calls with `count` faces."""

    def call(network: Network) -> Callable[[], object]:
        faces = np.zeros((count, network.image_size, network.image_size, 3), np.float32)
        return lambda: network.predict(faces)

    times = interleave({name: call(network) for name, network in networks.items()}, rounds)
    return {name: [time / count for time in calls] for name, calls in times.items()}


def measure_in_new_process(paths: Sequence[Path], rounds: int, num_threads: int) -> dict[str, Latency]:
    """Run `measure_latency` in a process of its own."""
    arguments = json.dumps([list(map(str, paths)), rounds, num_threads])
    result = subprocess.run(
        [sys.executable, "-c", MEASURE, str(PACKAGE_ROOT), arguments],
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(f"the latency of {', '.join(map(str, paths))}: {result.stderr.strip()}")
    rows = json.loads(result.stdout.splitlines()[-1])
    return {path: Latency(**row) for path, row in rows.items()}
