"""Photos per second of `fsanet label`: a plain loop on one core, the pool, and Ray, in turns.

`python -m benchmarks.labeling --source=AFLW2000 --rounds=2`

Checks that the three tables are equal. Start-up is told apart: from the call to the first finished part (for
Ray, starting its node and its actors), and the rate is that of the rest.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
from absl import flags

from benchmarks.harness import run
from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.items import Item, Items
from fsanet_tf.batch.label import make_job
from fsanet_tf.batch.labeler import Labeler
from fsanet_tf.batch.parts import Part, make_parts, rows_of, run_parts
from fsanet_tf.batch.ray_engine import ray_cluster, run_in_ray
from fsanet_tf.batch.table import Table, as_table
from fsanet_tf.parallel import num_cores


def loop(items: Sequence[Item], labeler: Labeler) -> tuple[float, list]:
    """Label one after the other in this process; return photos per second and the rows."""
    start = time.perf_counter()
    rows = [row for item in items for row in rows_of(labeler, item)]
    return len(items) / (time.perf_counter() - start), rows


def finish(parts: Sequence[Part], numbers: Iterator[int], start: float) -> tuple[float, float]:
    """Wait for all parts; return the seconds to the first, and photos per second after it."""
    first = len(parts[next(numbers)].items)
    started = time.perf_counter()
    rest = sum(len(parts[number].items) for number in numbers)
    assert first + rest == sum(len(part.items) for part in parts)
    return started - start, rest / (time.perf_counter() - started)


def main() -> None:
    given = flags.FLAGS
    items = Items(given.source).items[: given.count or None]
    cv2.setNumThreads(1)
    labeler, parts = Labeler(LabelConfig(detector="yunet")), make_parts(items)
    rates: dict[str, list[float]] = {"loop": [], "pool": [], "ray": []}
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rate, rows = loop(items, labeler)
            rates["loop"].append(rate)
            jobs = {
                name: make_job(LabelConfig(output=str(Path(folder) / name), detector="yunet"))
                for name in ("pool", "ray")
            }
            start = time.perf_counter()
            waited, rate = finish(parts, run_parts(jobs["pool"], parts), start)
            rates["pool"].append(rate)
            print(f"round {number}, pool: {waited:.1f} s to the first part")
            start = time.perf_counter()
            with ray_cluster(None) as workers:
                print(f"round {number}, Ray: {time.perf_counter() - start:.1f} s to start")
                waited, rate = finish(parts, run_in_ray(jobs["ray"], parts, workers), start)
            rates["ray"].append(rate)
            print(f"round {number}, Ray: {waited:.1f} s to the first part")
            expected = as_table(rows)
            for name, job in jobs.items():
                assert Table(job).read().equals(expected), f"{name}: another table than the loop's"
    base = statistics.median(rates["loop"])
    for name, values in rates.items():
        rate = statistics.median(values)
        hours = 1e6 / rate * (1 if name == "loop" else num_cores()) / 3600
        print(f"{name}: {rate:.1f} photos/s, {rate / base:.2f} × the loop, {hours:.1f} core-hours a million")


if __name__ == "__main__":
    flags.DEFINE_string("source", "../shared/data/AFLW2000", "Photos.")
    flags.DEFINE_integer("count", 0, "How many of them; 0: all.", 0)
    flags.DEFINE_integer("rounds", 2, "Repetitions of each.", 1)
    run(main)
