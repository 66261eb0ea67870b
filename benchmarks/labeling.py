"""Photos per second of `fsanet label`: a plain loop on one core, the pool, and Ray, in turns.

`python -m benchmarks.labeling --source=AFLW2000 --rounds=2`

Checks that the three tables are equal. Start-up is told apart: from the call to the first finished task (for
Ray, starting its node and its actors), and the rate is that of the rest.
"""

import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from absl import flags

from benchmarks.command import run
from fsanet_tf.batch.config import LabelerConfig
from fsanet_tf.batch.items import Item, find_items
from fsanet_tf.batch.output import Output
from fsanet_tf.batch.process_pool import run_in_processes
from fsanet_tf.batch.ray_engine import ray_cluster, run_in_ray
from fsanet_tf.batch.table import as_table
from fsanet_tf.batch.tasks import Task, make_tasks, worker_labeler
from fsanet_tf.parallel import num_cores


def loop(items: Sequence[Item], config: LabelerConfig) -> tuple[float, list]:
    """Label one after the other in this process; return photos per second and the rows."""
    labeler = worker_labeler(config)
    start = time.perf_counter()
    rows = [row for item in items for row in labeler.label(item)]
    return len(items) / (time.perf_counter() - start), rows


def finish(tasks: Sequence[Task], numbers: Iterator[int], start: float) -> tuple[float, float]:
    """Wait for all tasks; return the seconds to the first, and photos per second after it."""
    first = len(tasks[next(numbers)].items)
    started = time.perf_counter()
    rest = sum(len(tasks[number].items) for number in numbers)
    assert first + rest == sum(len(task.items) for task in tasks)
    return started - start, rest / (time.perf_counter() - started)


def main() -> None:
    given = flags.FLAGS
    items = find_items(given.source)[: given.count or None]
    config, tasks = LabelerConfig(detector="yunet"), make_tasks(items)
    rates: dict[str, list[float]] = {"loop": [], "pool": [], "ray": []}
    for number in range(given.rounds):
        with tempfile.TemporaryDirectory() as folder:
            rate, rows = loop(items, config)
            rates["loop"].append(rate)
            outputs = {name: Output(str(Path(folder) / name)) for name in ("pool", "ray")}
            for output in outputs.values():
                output.claim(items, config)
            start = time.perf_counter()
            waited, rate = finish(tasks, run_in_processes(tasks, config, outputs["pool"]), start)
            rates["pool"].append(rate)
            print(f"round {number}, pool: {waited:.1f} s to the first task")
            start = time.perf_counter()
            with ray_cluster(None) as workers:
                print(f"round {number}, Ray: {time.perf_counter() - start:.1f} s to start")
                waited, rate = finish(tasks, run_in_ray(tasks, config, outputs["ray"], workers), start)
            rates["ray"].append(rate)
            print(f"round {number}, Ray: {waited:.1f} s to the first task")
            expected = as_table(rows)
            for name, output in outputs.items():
                assert output.read().equals(expected), f"{name}: another table than the loop's"
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
