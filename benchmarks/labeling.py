"""Photos per second of `fsanet label`: one process, one per core, and Ray, in turns.

`python -m benchmarks.labeling --source=AFLW2000 --rounds=2` checks that the tables are equal. Start-up is
included: label enough photos that it does not matter.
"""

import itertools
import tempfile
from pathlib import Path

from absl import flags

from benchmarks.harness import Comparison, compare, run_benchmark
from fsanet_tf.batch.config import LabelConfig
from fsanet_tf.batch.label import label

ALONE = "one process"
ENGINES = {ALONE: ("pool", 1), "a process per core": ("pool", 0), "Ray": ("ray", 0)}


def measure() -> list[Comparison]:
    given = flags.FLAGS
    photos = tuple(map(str, sorted(Path(given.source).glob("*.jpg"))[: given.count or None]))
    rates: dict[str, list[float]] = {name: [] for name in ENGINES}
    with tempfile.TemporaryDirectory() as folder:
        for number, (name, (engine, workers)) in itertools.product(range(given.rounds), ENGINES.items()):
            output = f"{folder}/{number} {name}.parquet"
            config = LabelConfig(photos, output, detector="yunet", engine=engine, workers=workers)
            report = label(config)
            rates[name].append(report.photos / report.seconds)
            poses = report.table().select(["source", "yaw", "pitch", "roll"])
            if name == ALONE:
                expected = poses
            assert poses.equals(expected), f"{name}: another table"
    return [compare("Labeling", f"{len(photos)} photos", "photos/s", ALONE, rates)]


if __name__ == "__main__":
    flags.DEFINE_string("source", "../shared/data/AFLW2000", "Folder of photos.")
    flags.DEFINE_integer("count", 0, "How many of them; 0: all.", 0)
    flags.DEFINE_integer("rounds", 2, "Repetitions of each.", 1)
    run_benchmark(measure)
