"""Milliseconds per face of networks: `python -m benchmarks.latency --network=1x1,exported/var_int8.tflite`.

The networks are called in turns in one process, with one face per call and with 64; the first is the
baseline.
"""

from absl import flags

from benchmarks.harness import Comparison, compare, run_benchmark, time_faces, use_threads
from fsanet_tf.networks.network import load_network

BATCH = 64


def measure() -> list[Comparison]:
    given = flags.FLAGS
    use_threads(given.threads)
    networks = {name: load_network(name, given.threads) for name in given.network}
    threads = f"{given.threads} thread" + ("s" if given.threads > 1 else "")
    return [
        compare("Latency", f"{count} per call, {threads}", "ms per face", given.network[0], times)
        for count, rounds in ((1, given.rounds), (BATCH, max(3, given.rounds // 10)))
        for times in [time_faces(networks, count, rounds)]
    ]


if __name__ == "__main__":
    flags.DEFINE_list("network", ["1x1", "fusion"], "Network files or shipped names.")
    flags.DEFINE_integer("threads", 1, "Threads of every runtime.", 1)
    flags.DEFINE_integer("rounds", 200, "Calls with one face; a tenth with 64.", 1)
    run_benchmark(measure)
