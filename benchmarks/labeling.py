"""Photos per second of `fsanet label`: one process, one per core, and Ray, in turns.

`python -m benchmarks.labeling --source=AFLW2000 --rounds=2` checks that the tables are equal. Start-up is
included: label enough photos that it does not matter.
"""

import functools
import tempfile
from pathlib import Path

import pyarrow as pa
from absl import flags

from benchmarks.harness import Comparison, compare, in_turns, run_benchmark
from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.label import label

ALONE = "one process"
ENGINES = {ALONE: ("pool", 1), "a process per core": ("pool", 0), "Ray": ("ray", 0)}


def measure() -> list[Comparison]:
    given = flags.FLAGS
    photos = tuple(map(str, sorted(Path(given.source).glob("*.jpg"))[: given.count or None]))
    tables: list[pa.Table] = []

    def rate(engine: str, workers: int) -> list[float]:
        with tempfile.TemporaryDirectory() as folder:
            output = f"{folder}/table.parquet"
            report = label(LabelConfig(photos, output, detector="yunet", engine=engine, workers=workers))
            tables.append(report.table().select(["source", "yaw", "pitch", "roll"]))
        assert tables[-1].equals(tables[0]), f"{engine}, {workers} workers: another table"
        return [report.photos / report.seconds]

    ways = {name: functools.partial(rate, *arguments) for name, arguments in ENGINES.items()}
    rates = in_turns(ways, given.rounds, warmups=0)
    return [compare("Labeling", f"{len(photos)} photos", "photos/s", ALONE, rates)]


if __name__ == "__main__":
    flags.DEFINE_string("source", "../shared/data/AFLW2000", "Folder of photos.")
    flags.DEFINE_integer("count", 0, "How many of them; 0: all.", 0)
    flags.DEFINE_integer("rounds", 2, "Repetitions of each.", 1)
    run_benchmark(measure)
