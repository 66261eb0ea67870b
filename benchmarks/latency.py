"""Milliseconds per face of networks, next to the original's frozen graph and the networks of others.

`python -m benchmarks.latency --network=1x1,exported/var_int8.tflite` measures others. The networks are called
in turns in one process, with one face per call and with 64; the first is the baseline.
"""

from pathlib import Path

from absl import flags

from benchmarks.harness import Comparison, compare, run_benchmark, time_faces, use_threads
from benchmarks.peers import ORIGINAL, frozen_graph, opentrack, ports
from fsanet_tf.networks.network import Network, load_network
from fsanet_tf.networks.pretrained import DEFAULT, DEFAULT_INT8, FUSION

BATCH = 64


def networks_of(reference: Path, threads: int) -> dict[str, Network]:
    """Load the shipped networks as they are used, and those of others, by name."""
    return {
        ORIGINAL: load_network(frozen_graph(reference, "1x1")),
        "PyTorch port's ONNX": ports(reference, threads)["1x1"],
        "opentrack's ONNX": opentrack(reference, threads),
        **{f"`{name}`": load_network(name, threads) for name in ("1x1", DEFAULT, DEFAULT_INT8, FUSION)},
    }


def measure() -> list[Comparison]:
    given = flags.FLAGS
    use_threads(given.threads)
    if given.network:
        networks = {name: load_network(name, given.threads) for name in given.network}
    else:
        networks = networks_of(Path(given.reference), given.threads)
    threads = f"{given.threads} thread" + ("s" if given.threads > 1 else "")
    columns = []
    for title, count, rounds in (
        ("one face", 1, given.rounds),
        (f"{BATCH} faces per call", BATCH, max(3, given.rounds // 10)),
    ):
        times = time_faces(networks, count, rounds)
        columns.append(compare("Networks", f"{title}, {threads}", "ms per face", next(iter(networks)), times))
    return columns


if __name__ == "__main__":
    flags.DEFINE_string("reference", "../shared", "Folder with the networks of others.")
    flags.DEFINE_list("network", None, "Network files or shipped names to measure instead.")
    flags.DEFINE_integer("threads", 1, "Threads of every runtime.", 1)
    flags.DEFINE_integer("rounds", 200, "Calls with one face; a tenth with 64.", 1)
    run_benchmark(measure)
