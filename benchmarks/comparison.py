"""The result of a benchmark: alternatives measured in turns and compared with a baseline."""

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from absl import flags

from benchmarks.command import run
from fsanet_tf.io.files import write_json


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
        """How many times better a way is than the baseline."""
        ratio = self.rows[self.baseline].median / self.rows[name].median
        return 1 / ratio if self.unit.endswith("/s") else ratio


def compare(
    table: str, column: str, unit: str, baseline: str, samples: Mapping[str, Sequence[float]]
) -> Comparison:
    """A comparison of samples, by the name of each way."""
    rows = {
        name: Figure(float(np.median(values)), float(np.subtract(*np.percentile(values, (75, 25)))))
        for name, values in samples.items()
    }
    return Comparison(table, column, unit, baseline, rows)


def read_comparisons(path: Path) -> list[Comparison]:
    """What `write_comparisons` wrote."""
    return [
        Comparison(**{**column, "rows": {name: Figure(**row) for name, row in column["rows"].items()}})
        for column in json.loads(path.read_text())["comparisons"]
    ]


def write_comparisons(path: str | Path, comparisons: Sequence[Comparison], **about: str) -> None:
    """Write comparisons as JSON, and what else there is to say of them."""
    write_json(path, {**about, "comparisons": [dataclasses.asdict(column) for column in comparisons]})


def as_markdown(comparisons: Sequence[Comparison]) -> str:
    """One table of comparisons that share a title: medians, spread, and how many times better."""
    names = list(dict.fromkeys(name for column in comparisons for name in column.rows))
    lines = [
        "| | " + " | ".join(f"{column.column} ({column.unit})" for column in comparisons) + " |",
        "|---" * (1 + len(comparisons)) + "|",
    ]
    for name in names:
        cells = [_cell(column, name) if name in column.rows else "–" for column in comparisons]
        lines.append("| " + " | ".join([name, *cells]) + " |")
    return "\n".join(lines)


def _cell(column: Comparison, name: str) -> str:
    row = column.rows[name]
    spread = f" ± {_number(row.spread, 2)}" if row.spread > 0.005 * row.median else ""
    return f"**{column.times_better(name):.2g} ×** {_number(row.median, 3)}{spread}"


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if value < 10**digits else f"{value:,.0f}"


def tables(comparisons: Sequence[Comparison]) -> dict[str, list[Comparison]]:
    """The columns of each table, by its title."""
    titles = dict.fromkeys(column.table for column in comparisons)
    return {title: [column for column in comparisons if column.table == title] for title in titles}


def run_benchmark(measure: Callable[[], Sequence[Comparison]]) -> None:
    """The command of a benchmark: print its tables, and write them where `--json` says."""
    flags.DEFINE_string("json", None, "Also write the figures here.")

    def main() -> None:
        comparisons = measure()
        for title, columns in tables(comparisons).items():
            print(f"{title}\n\n{as_markdown(columns)}\n")
        if flags.FLAGS.json:
            write_comparisons(flags.FLAGS.json, comparisons)

    run(main)
