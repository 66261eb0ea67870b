"""How fast networks answer, side by side in one process: `python -m fsanet_tf.export.latency FILE …`.

TensorFlow's threads are of a whole process, so each number of threads is measured in one of its own.
"""

import argparse
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

from fsanet_tf.networks import Network, load_network
from fsanet_tf.quiet import import_tensorflow_quietly

WARMUPS = 5
WITHOUT_TENSORFLOW = (".tflite", ".onnx")


@dataclasses.dataclass(frozen=True)
class Latency:
    """Median times of one network with one number of threads.

    Attributes:
        single_ms: one face a call, in milliseconds.
        single_spread_ms: between the quartiles.
        batch_ms: per face, 64 faces a call.
    """

    single_ms: float
    single_spread_ms: float
    batch_ms: float


def interleave(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Times of each call in milliseconds.

    The calls take turns, so that a busy machine hits all alike, in a new order each round, so that none
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
        paths: files that `load_network` reads.
        rounds: calls of each with one face; a tenth of that with a batch.
        num_threads: of every runtime.
        batch: faces of the larger calls.
    """
    if any(Path(path).suffix not in WITHOUT_TENSORFLOW for path in paths):
        import_tensorflow_quietly()
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
    """Milliseconds a face, by network, of calls with `count` faces."""

    def call(network: Network) -> Callable[[], object]:
        faces = np.zeros((count, network.image_size, network.image_size, 3), np.float32)
        return lambda: network.predict(faces)

    times = interleave({name: call(network) for name, network in networks.items()}, rounds)
    return {name: [time / count for time in calls] for name, calls in times.items()}


def measure_in_new_process(paths: Sequence[Path], rounds: int, num_threads: int) -> dict[str, Latency]:
    """`measure_latency` in a process of its own, by path."""
    command = [
        sys.executable,
        "-m",
        "fsanet_tf.export.latency",
        f"--rounds={rounds}",
        f"--threads={num_threads}",
    ]
    result = subprocess.run([*command, *map(str, paths)], capture_output=True, text=True, check=False)
    if result.returncode:
        raise RuntimeError(f"the latency of {', '.join(map(str, paths))}: {result.stderr.strip()}")
    rows = json.loads(result.stdout.splitlines()[-1])
    return {path: Latency(**row) for path, row in rows.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    rows = measure_latency(arguments.paths, arguments.rounds, arguments.threads)
    print(json.dumps({path: dataclasses.asdict(row) for path, row in rows.items()}))


if __name__ == "__main__":
    main()
