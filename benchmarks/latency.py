"""Milliseconds of calls that take turns."""

import random
import time
from collections.abc import Callable, Mapping

import numpy as np

from fsanet_tf.networks.network import Network

WARMUPS = 5


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


def time_faces(networks: dict[str, Network], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure the milliseconds per face, by network, of calls with `count` faces."""

    def call(network: Network) -> Callable[[], object]:
        faces = np.zeros((count, network.image_size, network.image_size, 3), np.float32)
        return lambda: network.predict(faces)

    times = interleave({name: call(network) for name, network in networks.items()}, rounds)
    return {name: [time / count for time in calls] for name, calls in times.items()}
