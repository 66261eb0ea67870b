"""Shared by the benchmarks: alternatives timed in turns, compared with a baseline, and printed as tables.

The options of a benchmark are absl's global ones, since each is a process of its own.
"""

import dataclasses
import functools
import json
import random
import re
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from fsanet_tf.commands.command_line import HELP_OPTIONS, parse_options
from fsanet_tf.commands.exit_status import exit_status
from fsanet_tf.io.files import replace_when_done, write_json
from fsanet_tf.networks.network import Network

WARMUPS = 5  # of short calls

Way = Callable[[], Sequence[float]]  # measures once; returns some samples


@dataclasses.dataclass(frozen=True)
class Figure:
    """The median of some samples and what lies between their quartiles."""

    median: float
    spread: float


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A column of a table: several ways, one of them the baseline.

    Attributes:
        table: title of the table that it is a column of.
        column: its title there.
        unit: of the figures; one that ends in `/s` is better the larger it is, any other the smaller.
        baseline: the way that the others are compared with.
        rows: a figure for each way.
    """

    table: str
    column: str
    unit: str
    baseline: str
    rows: dict[str, Figure]

    def times_better(self, name: str) -> float:
        """Return how many times better a way is than the baseline."""
        ratio = self.rows[self.baseline].median / self.rows[name].median
        return 1 / ratio if self.unit.endswith("/s") else ratio


def compare(
    table: str, column: str, unit: str, baseline: str, samples: Mapping[str, Sequence[float]]
) -> Comparison:
    """Compare samples, by the name of each way."""
    rows = {
        name: Figure(float(np.median(values)), float(np.subtract(*np.percentile(values, (75, 25)))))
        for name, values in samples.items()
    }
    return Comparison(table, column, unit, baseline, rows)


def read_comparisons(path: Path) -> list[Comparison]:
    """Read what `write_comparisons` wrote."""
    return [
        Comparison(**{**column, "rows": {name: Figure(**row) for name, row in column["rows"].items()}})
        for column in json.loads(path.read_text(encoding="utf-8"))["comparisons"]
    ]


def write_comparisons(path: str | Path, comparisons: Sequence[Comparison], **about: str) -> None:
    """Write comparisons as JSON."""
    write_json(path, {**about, "comparisons": [dataclasses.asdict(column) for column in comparisons]})


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """Return the table of comparisons that share a title: medians, spread, and how many times better."""
    names = list(dict.fromkeys(name for column in comparisons for name in column.rows))
    header = ("", *(f"{column.column} ({column.unit})" for column in comparisons))
    lines = [markdown_row(*header), "|---" * len(header) + "|"]
    for name in names:
        cells = [_cell(column, name) if name in column.rows else "–" for column in comparisons]
        lines.append(markdown_row(name, *cells))
    return "\n".join(lines)


def _cell(column: Comparison, name: str) -> str:
    row = column.rows[name]
    spread = f" ± {_number(row.spread, 2)}" if row.spread > 0.005 * row.median else ""
    return f"**{column.times_better(name):.2g} ×** {_number(row.median, 3)}{spread}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:,.0f}"


def tables(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """Return the columns of each table, by its title."""
    titles = dict.fromkeys(column.table for column in comparisons)
    return {title: [column for column in comparisons if column.table == title] for title in titles}


def in_turns(ways: Mapping[str, Way], rounds: int, warmups: int = 1) -> dict[str, list[float]]:
    """Collect the samples of each way, those of the warm-up rounds left out.

    The ways take turns, so that other load affects all alike, in a new order each round, so that none always
    finds the caches that another left.
    """
    order, shuffle = list(ways), random.Random(0).shuffle
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(-warmups, rounds):
        shuffle(order)
        for name in order:
            found = ways[name]()
            samples[name] += found if number >= 0 else []
    return samples


def elapsed_ms(call: Callable[[], object]) -> float:
    """Time a call in milliseconds."""
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def interleave(calls: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Time calls in milliseconds, in turns."""
    ways = {name: functools.partial(lambda call: [elapsed_ms(call)], call) for name, call in calls.items()}
    return in_turns(ways, rounds, WARMUPS)


def time_faces(networks: Mapping[str, Network], count: int, rounds: int) -> dict[str, list[float]]:
    """Measure the milliseconds per face, by network, of calls with `count` faces."""

    def call(network: Network) -> Callable[[], object]:
        faces = np.full((count, network.image_size, network.image_size, 3), 100, np.float32)
        return lambda: network.predict(faces)

    times = interleave({name: call(network) for name, network in networks.items()}, rounds)
    return {name: [time / count for time in calls] for name, calls in times.items()}


def use_threads(num_threads: int) -> None:
    """Set TensorFlow's number of threads, which is that of the whole process."""
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(num_threads)
    tf.config.threading.set_inter_op_parallelism_threads(num_threads)


def peak_mib(pid: int | str = "self") -> float:
    """Return the peak resident memory of a process in MiB, on Linux.

    Not `ru_maxrss`, which counts what the parent had needed before the process was its own.
    """
    return int(re.findall(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())[0]) / 2**10


def markdown_row(*cells: object) -> str:
    """Return a row of a table."""
    return f"| {' | '.join(map(str, cells))} |"


def write_text(path: Path, lines: Sequence[str]) -> None:
    """Write a page."""
    with replace_when_done(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")


def run(main: Callable[[], None]) -> None:
    """Parse the options, run `main` and exit."""

    def parse_and_run() -> None:
        parse_options(flags.FLAGS, sys.argv[1:])
        main()

    if any(argument in HELP_OPTIONS for argument in sys.argv[1:]):
        print(flags.FLAGS.main_module_help())
        return
    sys.exit(exit_status(parse_and_run))


def run_benchmark(measure: Callable[[], Sequence[Comparison]]) -> None:
    """Run a benchmark as a command: print its tables, and write them where `--json` says."""
    flags.DEFINE_string("json", None, "Also write the figures here.")

    def main() -> None:
        comparisons = measure()
        for title, columns in tables(comparisons).items():
            print(f"{title}\n\n{as_markdown(columns)}\n")
        if flags.FLAGS.json:
            write_comparisons(flags.FLAGS.json, comparisons)

    run(main)
